import type { Position } from '../../domain/comment/sort.ts'
import type { Instant } from '../../domain/instant.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Claimer, deleteClaims, insertClaims } from '../../postgres/moderation/claims.ts'
import type { ModeratedComment } from '../../postgres/moderation/moderated-comments.ts'
import { findQueuePage, type QueueSort } from '../../postgres/moderation/queue.ts'
import type { QueueFilter } from '../../postgres/moderation/queue-filter.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { listInOrder } from './queue.ts'

export type ClaimRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** These comments, or the next of the queue. */
  readonly wanted: readonly CommentKey[] | NextOfQueue
  readonly seconds: number
  readonly idempotencyKey: IdempotencyKey | undefined
}

type NextOfQueue = {
  readonly filter: QueueFilter
  readonly sort: QueueSort
  /** The position at which an earlier search stopped. Null for the start of the queue. */
  readonly after: Position | null
  readonly limit: number
  readonly maxScanned?: number
}

export type ClaimedComments = {
  readonly items: readonly ModeratedComment[]
  /** Null if the moderator got no comment. */
  readonly until: Instant | null
  /** The position at which the search stopped. Null if it found enough comments or reached the end of the queue. */
  readonly next: Position | null
}

/** Pages of the queue that are searched for unclaimed comments. */
const MAX_PAGES = 20

/**
 * Reserves comments for a moderator until the moderator decides, releases them, or the time is over.
 * Comments that are named and already claimed by the moderator are renewed.
 */
export const claimComments = async (
  context: Context,
  request: ClaimRequest,
): Promise<ClaimedComments> => {
  const { site, moderator, wanted, seconds, idempotencyKey } = request
  const claimer = { siteId: site.id, by: callerIdOf(moderator), seconds }
  const { keys, until, next } = await runOnce(context, idempotencyKey, (tx) =>
    'limit' in wanted ? claimNext(tx, claimer, wanted) : claimNamed(tx, claimer, wanted),
  )
  return { items: await runQuery(listInOrder(context.db, site.id, keys)), until, next }
}

type ClaimedKeys = Pick<ClaimedComments, 'until' | 'next'> & {
  readonly keys: readonly CommentKey[]
}

const claimNamed = async (
  tx: Tx,
  claimer: Omit<Claimer, 'renews'>,
  wanted: readonly CommentKey[],
): Promise<ClaimedKeys> => {
  const { keys, until = null } = await insertClaims(tx, { ...claimer, renews: true }, wanted)
  return { keys, until, next: null }
}

const claimNext = async (
  tx: Tx,
  claimer: Omit<Claimer, 'renews'>,
  { filter, after: start, limit, ...page }: NextOfQueue,
): Promise<ClaimedKeys> => {
  const { siteId, by } = claimer
  const request = { ...filter, ...page, siteId, claimed: { is: 'free', by } } as const
  const claimed: CommentKey[] = []
  let claimedUntil: Instant | null = null
  let after = start
  for (let pages = 0; pages < MAX_PAGES && claimed.length < limit; pages++) {
    const page = await findQueuePage(tx, { ...request, after, limit: limit - claimed.length })
    const { keys, until } = await insertClaims(tx, { ...claimer, renews: false }, page.comments)
    const ids = new Set(keys.map(({ id }) => id))
    claimed.push(...page.comments.filter(({ id }) => ids.has(id)))
    claimedUntil = until ?? claimedUntil
    after = page.next
    if (!after) break
  }
  const keys = claimed.map(({ threadId, id }) => ({ threadId, id }))
  return { keys, until: claimedUntil, next: claimed.length < limit ? after : null }
}

type ReleaseRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** Undefined: all claims of the moderator. */
  readonly comment: CommentKey | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Ends claims of a moderator; claims of others stay. */
export const releaseClaims = (
  context: Context,
  { site, moderator, comment, idempotencyKey }: ReleaseRequest,
): Promise<null> =>
  runOnce(context, idempotencyKey, async (tx) => {
    await deleteClaims(tx, { siteId: site.id, by: callerIdOf(moderator), commentId: comment?.id })
    return null
  })
