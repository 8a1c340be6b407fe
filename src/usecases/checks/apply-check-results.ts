import { isVisible } from '../../domain/comment/status.ts'
import { checksJob, checksJobKey } from '../../domain/job.ts'
import { BY_RULES } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { awaitedChecks, CHECK_RULE_PREFIX } from '../../domain/screening/check-facts.ts'
import type { Judgement } from '../../domain/screening/compile-policy.ts'
import { draftOf, type Facts, type WrittenDraft } from '../../domain/screening/facts.ts'
import { combine, type Verdict } from '../../domain/screening/finding.ts'
import type { CheckFact } from '../../domain/site/check.ts'
import {
  type CommentForWrite,
  findCommentForWrite,
  type StoredJudgement,
} from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { deleteJob, enqueueJob, rescheduleJob } from '../../postgres/jobs/jobs.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { type GuestProfile, lockWriterRows } from '../../postgres/people/authors.ts'
import {
  findJudged,
  type JudgementState,
  updateJudgement,
} from '../../postgres/screening/checks.ts'
import { findJudgingSettings } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { nameGuests } from '../people/name-guests.ts'
import { judgeAgain } from '../policies/judge-again.ts'

/** How long a check that answered `pending` has before it is asked again. */
const CALL_BACK_MS = 600_000
/** A check that failed is asked again after as long as the comment has waited, within these bounds. */
const MIN_RETRY_MS = 3_600_000
const MAX_RETRY_MS = 86_400_000

/** The answers of checks about one revision of a comment. */
export type CheckResults = {
  /** The first score of a check stands. */
  readonly answers: Readonly<Record<string, CheckFact>>
  /** Undefined: the current revision. */
  readonly revision: number | undefined
  /** The guest's profile from this comment on, stored once the comment is published. */
  readonly author?: GuestProfile | undefined
}

export type AppliedResults = {
  readonly comment: CommentForWrite
  /** The thread's new version; undefined if no reader can see a difference. */
  readonly version: number | undefined
}

/**
 * Judges a comment again with the answers of its checks. A held comment is judged by the policy, bans and modes of
 * now, any other by those of then. The verdict changes the status, unless a moderator has decided meanwhile or another
 * rule held the comment: then the judgement is only stored.
 * @returns undefined if the comment is gone, was judged without facts, or has another revision by now
 */
export const applyCheckResults = async (
  context: Context,
  tx: Tx,
  { at, ...said }: CheckResults & { at: CommentKey & { siteId: number } },
): Promise<AppliedResults | undefined> => {
  await acquireThreadLock(tx, at, 'exclusive')
  const comment = await findCommentForWrite(tx, at)
  if (!comment) return undefined
  const judged = comment.staysDeleted ? undefined : await findJudged(tx, at)
  if (!judged) {
    // The author can still restore a withdrawn comment, which then needs its job.
    const isWithdrawn = comment.withdrawnAt !== null && comment.body !== ''
    if (!isWithdrawn) await deleteJob(tx, checksJobKey(at))
    return undefined
  }
  if (said.revision !== undefined && said.revision !== comment.revision) return undefined
  const { name, url } = said.author ?? comment.author
  const { body, bodyHtml, suggestedTitle } = comment
  const written = { body, bodyHtml, authorName: name, authorUrl: url, suggestedTitle }
  const { answers } = said
  const judging = { ...judged, ...written, comment, answers }
  const judgement = await judgeWithAnswers(context, tx, at, judging)
  await updateJudgement(tx, at, judgement)
  const settled = mayFollow(comment, judged, judgement.verdict)
    ? await follow(tx, at, { comment, judgement, author: said.author })
    : { comment, version: undefined }
  await finish(tx, at, { ...judged, ...judgement, comment: settled.comment })
  return settled
}

type Judged = JudgementState &
  WrittenDraft & {
    readonly comment: CommentForWrite
    readonly answers: CheckResults['answers']
  }

const judgeWithAnswers = async (
  context: Context,
  tx: Tx,
  { siteId }: { siteId: number },
  { comment, answers, ...judged }: Judged,
): Promise<StoredJudgement & Judgement> => {
  const withAnswers = { ...judged.facts, checks: merge(judged.facts.checks, answers) }
  if (comment.status !== 'pending') {
    const { policyVersion } = judged
    const { judge } = await context.policies.find({ id: siteId, policyVersion })
    return { policyVersion, facts: withAnswers, ...judge(draftOf(judged), withAnswers) }
  }
  const { policyVersion } = await findJudgingSettings(tx, siteId)
  const policy = await context.policies.find({ id: siteId, policyVersion })
  const answered = [{ ...judged, facts: withAnswers }]
  const [again] = await judgeAgain(context, tx, { siteId, policy, asksAgain: false }, answered)
  return { policyVersion, facts: again!.facts, ...again!.judgement }
}

const merge = (known: Facts['checks'], answers: CheckResults['answers']): Facts['checks'] => {
  const isAnswered = (name: string) =>
    Object.hasOwn(known, name) && known[name]?.state === 'answered'
  const news = Object.entries(answers).filter(([name]) => !isAnswered(name))
  return { ...known, ...Object.fromEntries(news) }
}

/**
 * The comment must still have the status that the rules gave it. The answers publish only what the checks alone held.
 * A comment that a moderator or another rule held stays held, and so does a reply while the comment above it is not
 * public.
 */
const mayFollow = (comment: CommentForWrite, judged: JudgementState, to: Verdict): boolean => {
  const isAsJudged = comment.status === combine(judged.trace) && !judged.isDecided
  const mayPublish = judged.mayPublish === true && judged.isBelowPublic && isHeldByChecks(judged)
  return isAsJudged && comment.status !== to && (!isVisible(to) || mayPublish)
}

const isHeldByChecks = ({ trace }: JudgementState): boolean =>
  isVisible(combine(trace.filter(({ rule }) => !rule.startsWith(CHECK_RULE_PREFIX))))

type Following = {
  readonly comment: CommentForWrite
  readonly judgement: Judgement
  readonly author: CheckResults['author']
}

const follow = async (
  tx: Tx,
  { siteId }: { siteId: number },
  { comment, judgement, author }: Following,
): Promise<AppliedResults> => {
  const { threadId, id: commentId, status: from } = comment
  const to = judgement.verdict
  if (isVisible(to) && author !== undefined) {
    const { id } = comment.author
    const writers = await lockWriterRows(tx, siteId, [id])
    await nameGuests(tx, siteId, { writers, profiles: new Map([[id, author]]) })
  }
  const { version } = await changeStatus(tx, comment, { siteId, to })
  const said = judgement.trace.filter(({ rule }) => rule.startsWith(CHECK_RULE_PREFIX))
  const note = said.map(({ evidence }) => evidence).join('; ') || null
  await insertDecision(tx, { siteId, by: BY_RULES, note, threadId, commentId, from, to })
  const after = await findCommentForWrite(tx, { siteId, threadId, id: commentId })
  return { comment: after!, version }
}

type Finished = StoredJudgement &
  Pick<JudgementState, 'mayPublish' | 'isDecided'> & {
    readonly comment: CommentForWrite
  }

/**
 * A check that answered `pending` is asked again later. A check that failed is asked again as long as that holds the
 * comment.
 */
const finish = async (
  tx: Tx,
  at: CommentKey & { siteId: number },
  { comment, trace, facts: { checks }, mayPublish, isDecided }: Finished,
): Promise<void> => {
  const job = checksJobKey(at)
  const isAsked = Object.values(checks).some(({ state }) => state === 'asked')
  const isWaiting = comment.status === 'pending' && !isDecided && mayPublish !== null
  if (isAsked) await rescheduleJob(tx, job, CALL_BACK_MS)
  else if (isWaiting && awaitedChecks(trace, checks).length > 0)
    await enqueueJob(tx, {
      ...checksJob(at.siteId, comment, mayPublish),
      dueInMs: retryMs(comment),
    })
  else await deleteJob(tx, job)
}

const retryMs = ({ readAt, createdAt, editedAt }: CommentForWrite): number => {
  const waitedMs = Date.parse(readAt) - Date.parse(editedAt ?? createdAt)
  return Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, waitedMs))
}
