import {
  type CompiledPolicy,
  compilePolicy,
  type Judgement,
} from '../../domain/screening/compile-policy.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { GuestProfile } from '../../postgres/people/authors.ts'
import { findThreadForWrite, findThreadId } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { countFor, factsOf, hashText } from './count-facts.ts'

export type Trial = {
  readonly site: Site
  readonly body: string
  readonly author: GuestProfile
  /** Undefined: of no article that there is. */
  readonly articleId: string | undefined
  /** Undefined: the one in force. */
  readonly policy: Policy | undefined
}

export type Tried = Judgement & {
  readonly facts: Facts
  /** Null: a draft. */
  readonly policyVersion: number | null
}

/**
 * What would be said of a new guest's comment at this moment. Nothing is stored, no service outside is
 * asked, and it comes from no network.
 */
export const screenComment = async (context: Context, trial: Trial): Promise<Tried> => {
  const { site, body, author } = trial
  const { screen, policyVersion } = await choosePolicy(context, trial)
  const thread = await runQuery(findThread(context, trial))
  const source = { ...hashText(body), authorId: undefined, addressHash: null }
  const place = { siteId: site.id, threadId: thread?.id ?? null }
  const known = await runQuery(countFor(context.db, place, [source]))
  const subject = {
    ...source,
    kind: 'guest',
    role: 'reader',
    email: author.email,
    siteModeration: site.moderation,
    threadModeration: thread?.moderation ?? null,
    attackedUntil: known.attackedUntil,
    bans: [],
  } as const
  const facts = factsOf(known, subject, [])
  const draft = { body, authorName: author.name, authorUrl: author.url }
  return { ...screen(draft, facts), facts, policyVersion }
}

const choosePolicy = async (
  context: Context,
  { site, policy }: Trial,
): Promise<{ screen: CompiledPolicy; policyVersion: number | null }> => {
  if (policy) return { screen: compilePolicy(policy), policyVersion: null }
  const { screen, version } = await context.policies.find(site)
  return { screen, policyVersion: version }
}

const findThread = async ({ db }: Context, { site, articleId }: Trial) => {
  if (articleId === undefined) return undefined
  const id = await findThreadId(db, site.id, articleId)
  return id === undefined ? undefined : findThreadForWrite(db, site.id, id)
}
