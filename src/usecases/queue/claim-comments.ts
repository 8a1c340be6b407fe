import type { Position } from '../../domain/comment/sort.ts'
import type { Instant } from '../../domain/instant.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { takeClaims } from '../../postgres/moderation/claims.ts'
import {
  findQueuePage,
  type ModeratedComment,
  type QueueSort,
} from '../../postgres/moderation/queue.ts'
import type { QueueFilter } from '../../postgres/moderation/queue-filter.ts'
import type { IdempotencyKey as Key } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { listInOrder } from './list-queue.ts'

export type ClaimRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** These comments, or the next of the queue. */
  readonly wanted: readonly CommentKey[] | Next
  readonly seconds: number
  readonly claim: Key | undefined
}

type Next = { readonly filter: QueueFilter; readonly sort: QueueSort; readonly limit: number }

export type Claimed = {
  readonly items: readonly ModeratedComment[]
  /** Null: there is nothing to have. */
  readonly until: Instant | null
}

/** Pages that are looked through for what is free. */
const MAX_PAGES = 20

/**
 * Gives a moderator comments that nobody else gets meanwhile, until it decides on them, gives them back or
 * the time is over. What it has already it has for so long again.
 */
export const claimComments = async (context: Context, request: ClaimRequest): Promise<Claimed> => {
  const { site, claim } = request
  const { keys, until } = await runOnce(context, claim, (tx) => take(tx, request))
  return { items: await runQuery(listInOrder(context.db, site.id, keys)), until }
}

type Taken = { readonly keys: readonly CommentKey[]; readonly until: Instant | null }

const take = async (tx: Tx, { site, moderator, wanted, seconds }: ClaimRequest): Promise<Taken> => {
  const by = callerIdOf(moderator)
  const renews = !('limit' in wanted)
  const claimer = { siteId: site.id, by, seconds, renews }
  if (!('limit' in wanted)) {
    const { keys, until = null } = await takeClaims(tx, claimer, wanted)
    return { keys, until }
  }
  const { filter, sort, limit } = wanted
  const free = { ...filter, siteId: site.id, sort, claimed: { is: 'free', by } } as const
  const taken: CommentKey[] = []
  let last: Instant | null = null
  let after: Position | null = null
  for (let pages = 0; pages < MAX_PAGES && taken.length < limit; pages++) {
    const page = await findQueuePage(tx, { ...free, after, limit: limit - taken.length })
    const { keys, until } = await takeClaims(tx, claimer, page.places)
    const got = new Set(keys.map(({ id }) => id))
    taken.push(...page.places.filter(({ id }) => got.has(id)))
    last = until ?? last
    after = page.next
    if (!after) break
  }
  return { keys: taken.map(({ threadId, id }) => ({ threadId, id })), until: last }
}
