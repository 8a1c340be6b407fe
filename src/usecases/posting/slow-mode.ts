import { type Caller, mayModerate } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Db, Tx } from '../../postgres/connection/db.ts'
import {
  findWaits,
  lockNetworks,
  type Poster,
  type Wait,
} from '../../postgres/threads/slow-mode.ts'
import type { ThreadForWrite } from '../../postgres/threads/threads.ts'

type Sender = { readonly caller: Caller; readonly addressHash: Buffer }
type Slow = Pick<ThreadForWrite, 'id' | 'slowModeSeconds'>

/** What those who post have to wait for, by who sends it. */
export type Waits<S extends Sender> = ReadonlyMap<S, Wait>

const posterOf = ({ caller, addressHash }: Sender): Poster => ({
  authorId: 'authorId' in caller ? caller.authorId : undefined,
  addressHash: caller.kind === 'member' ? null : addressHash,
})

/** How long each has still to wait before it may post to the thread; moderators never. */
export const findWaitsOf = async <S extends Sender>(
  db: Db,
  siteId: number,
  { thread, senders }: { thread: Slow; senders: readonly S[] },
): Promise<Waits<S>> => {
  const slowed = senders.filter(({ caller }) => !mayModerate(caller))
  if (thread.slowModeSeconds === 0 || slowed.length === 0) return new Map()
  const pace = { siteId, threadId: thread.id, seconds: thread.slowModeSeconds }
  const waits = await findWaits(db, pace, slowed.map(posterOf))
  return new Map(slowed.flatMap((sender, i) => (waits[i] ? [[sender, waits[i]]] : [])))
}

/** The same for posts that hold their authors: of one person nobody else posts here meanwhile. */
export const lockSlowMode = async <S extends Sender>(
  tx: Tx,
  siteId: number,
  { thread, senders }: { thread: Slow; senders: readonly S[] },
): Promise<Waits<S>> => {
  const networks = senders.flatMap((sender) => posterOf(sender).addressHash ?? [])
  if (thread.slowModeSeconds > 0 && networks.length > 0)
    await lockNetworks(tx, { siteId, threadId: thread.id }, networks)
  return findWaitsOf(tx, siteId, { thread, senders })
}

/**
 * Refuses with `slow_mode` who has posted to the thread just before.
 * @param earlier those that are posted in the same transaction
 */
export const assertWaited = <S extends Sender>(
  sender: S,
  { slowModeSeconds }: Slow,
  { waits, earlier }: { waits: Waits<S>; earlier: readonly S[] },
): void => {
  if (slowModeSeconds === 0 || mayModerate(sender.caller)) return
  const isAgain = earlier.some((other) => isSamePerson(posterOf(other), posterOf(sender)))
  const seconds = isAgain ? slowModeSeconds : waits.get(sender)?.seconds
  if (seconds !== undefined) throw new Refusal('slow_mode', {}, { retryAfterSeconds: seconds })
}

const isSamePerson = (one: Poster, other: Poster): boolean =>
  (one.authorId !== undefined && one.authorId === other.authorId) ||
  (one.addressHash !== null &&
    other.addressHash !== null &&
    one.addressHash.equals(other.addressHash))
