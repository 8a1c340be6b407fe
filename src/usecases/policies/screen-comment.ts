import { renderMarkdown } from '../../domain/comment/markdown.ts'
import {
  type CompiledPolicy,
  type Judgement,
  judgeBy,
} from '../../domain/screening/compile-policy.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import { readRendering } from '../../domain/screening/rendering.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { GuestProfile } from '../../postgres/people/authors.ts'
import { findThreadForWrite, findThreadId } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { compileDraft } from './compile-draft.ts'
import { countFor, factsOf, hashRendering } from './count-facts.ts'

export type ScreeningRequest = {
  readonly site: Site
  readonly body: string
  readonly author: GuestProfile
  /** Undefined for a new article. */
  readonly articleId: string | undefined
  /** A draft; undefined for the policy in force. */
  readonly policy: Policy | undefined
}

export type ScreeningResult = Judgement & {
  readonly facts: Facts
  /** Null for a draft. */
  readonly policyVersion: number | null
}

/**
 * Judges a text as if a new guest posted it now from an unknown network. Stores nothing and asks no external
 * check.
 */
export const screenComment = async (
  context: Context,
  request: ScreeningRequest,
): Promise<ScreeningResult> => {
  const { site, body, author } = request
  const { judge, policyVersion } = await choosePolicy(context, request)
  const thread = await runQuery(findThread(context, request))
  const rendering = readRendering(body, renderMarkdown(body))
  const origin = { ...hashRendering(rendering), authorId: undefined, addressHash: null }
  const scope = { siteId: site.id, threadIds: thread ? [thread.id] : [] }
  const loaded = await runQuery(countFor(context.db, scope, [origin]))
  const subject = {
    ...origin,
    threadId: thread?.id ?? null,
    kind: 'guest',
    role: 'reader',
    email: author.email,
    siteModeration: site.moderation,
    threadModeration: thread?.moderation ?? null,
    attackedUntil: loaded.attackedUntil,
    bans: [],
  } as const
  const facts = factsOf(loaded, subject, [])
  const draft = { rendering, authorName: author.name, authorUrl: author.url, suggestedTitle: null }
  return { ...judge(draft, facts), facts, policyVersion }
}

const choosePolicy = async (
  context: Context,
  { site, policy }: ScreeningRequest,
): Promise<{ judge: CompiledPolicy; policyVersion: number | null }> => {
  if (policy) {
    const draft = await compileDraft(context, policy)
    return { judge: judgeBy(draft), policyVersion: null }
  }
  const { judge, version } = await context.policies.find(site)
  return { judge, policyVersion: version }
}

const findThread = async ({ db }: Context, { site, articleId }: ScreeningRequest) => {
  if (articleId === undefined) return undefined
  const id = await findThreadId(db, site.id, articleId)
  return id === undefined ? undefined : findThreadForWrite(db, site.id, id)
}
