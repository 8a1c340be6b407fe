import { isVisible } from '../../domain/comment/status.ts'
import type { Job } from '../../domain/job.ts'
import type { CommentKey, PublicIds } from '../../domain/public-id.ts'
import { currentCheckFacts } from '../../domain/screening/check-facts.ts'
import {
  type CheckFact,
  type CheckInput,
  type Sender,
  UNKNOWN_SENDER,
} from '../../domain/site/check.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import type { GuestProfile } from '../../postgres/people/authors.ts'
import { type Askable, findAskable } from '../../postgres/screening/checks.ts'
import type { Context } from '../context.ts'
import { invalidate, withInvalidation } from '../invalidate.ts'
import { findMovedComment } from '../with-moved-comment.ts'
import { type AppliedResults, applyCheckResults, type CheckResults } from './apply-check-results.ts'

export type CheckRequest = {
  readonly site: Site
  readonly comment: CommentKey
  /** Known only during the request that stores the comment. */
  readonly sender?: Sender
  /** The profile in this comment of a guest whose stored profile differs. */
  readonly author?: GuestProfile | undefined
  /** The last attempt: checks that have not answered count as failed. */
  readonly isLast?: boolean
}

/**
 * Asks all checks of the site and its policy that gave no score, and judges the comment by their answers.
 * @param then runs in the transaction that saves the answers
 * @returns undefined if the comment cannot be judged
 */
export const checkComment = async (
  context: Context,
  request: CheckRequest,
  then: (tx: Tx, settled: AppliedResults) => Promise<void> = async () => {},
): Promise<AppliedResults | undefined> => {
  const { site, comment, author, isLast = false } = request
  const ids = context.idsOf(site.id)
  const askable = await runQuery(findAskable(context.db, { siteId: site.id, ...comment }))
  const { policy } = await context.policies.find(site)
  const now = { checks: site.checks, policy, asksAgain: true }
  const facts = askable?.checks ? currentCheckFacts(askable.checks, now) : {}
  const open = Object.entries(facts).filter(([, { state }]) => state !== 'answered')
  const ask = async ([name, fact]: [string, CheckFact]): Promise<[string, CheckFact]> => {
    const check = site.checks.find((known) => known.name === name)
    if (fact.state !== 'asked' || !check) return [name, fact]
    if (isLast) return [name, { state: 'failed', why: 'it has not answered for too long' }]
    return [name, await context.checks.ask(check, toCheckInput(ids, request, askable!))]
  }
  const answers = Object.fromEntries(await Promise.all(open.map(ask)))
  const { revision } = askable ?? {}
  return saveCheckResults(context, { site, comment, author, revision, answers }, then)
}

export type CheckResultsRequest = CheckResults & {
  readonly site: Pick<Site, 'id'>
  readonly comment: CommentKey
}

/** Saves answers in a transaction of its own, and invalidates the thread if readers see a difference. */
export const saveCheckResults = async (
  context: Context,
  { site, comment, ...answers }: CheckResultsRequest,
  then: (tx: Tx, settled: AppliedResults) => Promise<void> = async () => {},
): Promise<AppliedResults | undefined> => {
  const at = { siteId: site.id, ...comment }
  const changes = { siteId: site.id, threadIds: [comment.threadId] }
  const act = async (tx: Tx): Promise<AppliedResults | undefined> => {
    const settled = await applyCheckResults(context, tx, { at, ...answers })
    if (settled) await then(tx, settled)
    return settled
  }
  try {
    const settled = await inTransaction(context.writes, act)
    if (settled?.version === undefined) return settled
    const isHide = !isVisible(settled.comment.status)
    return await withInvalidation(context, { ...changes, isHide }, async () => settled)
  } catch (error) {
    await invalidate(context, changes)
    throw error
  }
}

/** The comment of a job where it is now. Undefined if it is gone, or its author is erased. */
export const findCommentOfJob = async (
  context: Context,
  { siteId, slug, payload }: Job<'ask_checks' | 'report_decision'>,
): Promise<{ site: Site; comment: CommentKey; askable: Askable } | undefined> => {
  const site = slug === null ? undefined : await context.sites.find(slug)
  const written = { threadId: payload.threadId, id: payload.id }
  const asked = { siteId, comment: written, caller: 'check' } as const
  const comment = (await findMovedComment(context, asked)) ?? written
  const askable = await runQuery(findAskable(context.db, { siteId, ...comment }))
  return site && askable && { site, comment, askable }
}

/** Builds the input of a check. After the request that stored the comment, only its network is known. */
export const toCheckInput = (
  ids: PublicIds,
  { site, comment, sender = UNKNOWN_SENDER, author }: CheckRequest,
  askable: Askable,
): CheckInput => ({
  site: site.slug,
  commentId: ids.writeComment({ threadId: askable.homeThreadId, id: comment.id }),
  parentId:
    askable.parentId === 0
      ? null
      : ids.writeComment({ threadId: askable.parentHomeThreadId, id: askable.parentId }),
  articleId: askable.articleId,
  articleUrl: askable.articleUrl,
  revision: askable.revision,
  body: askable.body,
  createdAt: askable.createdAt,
  author: {
    kind: askable.authorKind,
    name: author?.name ?? askable.authorName,
    url: author ? author.url : askable.authorUrl,
    email: author ? author.email : askable.authorEmail,
  },
  ip: sender.ip ?? firstOf(askable.network),
  userAgent: sender.userAgent,
})

/** Returns `192.0.2.0` for `192.0.2.0/24`. */
const firstOf = (network: string | null): string | null =>
  network?.includes('/') ? network.split('/')[0]! : null
