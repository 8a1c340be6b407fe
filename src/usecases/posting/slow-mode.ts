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

/** A post, or a viewer who asks whether they may post. */
type Sender = { readonly caller: Caller; readonly addressHash: Buffer | null }
type SlowThread = Pick<ThreadForWrite, 'id' | 'slowModeSeconds'>

/** How long each sender still has to wait; senders who need not wait are missing. */
export type Waits<S extends Sender> = ReadonlyMap<S, Wait>

/** Guests are recognised by their network too, if it is known, because anybody can be several guests. */
const posterOf = ({ caller, addressHash }: Sender): Poster => ({
  authorId: 'authorId' in caller ? caller.authorId : undefined,
  addressHash: caller.kind === 'member' ? null : addressHash,
})

/** Finds how long senders have to wait before they may post to the thread; moderators never wait. */
export const findWaitsOf = async <S extends Sender>(
  db: Db,
  siteId: number,
  { thread, senders }: { thread: SlowThread; senders: readonly S[] },
): Promise<Waits<S>> => {
  const slowed = senders.filter(({ caller }) => !mayModerate(caller))
  if (thread.slowModeSeconds === 0 || slowed.length === 0) return new Map()
  const pace = { siteId, threadId: thread.id, seconds: thread.slowModeSeconds }
  const waits = await findWaits(db, pace, slowed.map(posterOf))
  return new Map(slowed.flatMap((sender, i) => (waits[i] ? [[sender, waits[i]]] : [])))
}

/**
 * As `findWaitsOf`, for posts whose authors' rows are locked: locks the networks of guests as well, so
 * that no other post of the same person gets in until the transaction ends.
 */
export const lockSlowMode = async <S extends Sender>(
  tx: Tx,
  siteId: number,
  { thread, senders }: { thread: SlowThread; senders: readonly S[] },
): Promise<Waits<S>> => {
  if (thread.slowModeSeconds === 0) return new Map()
  const networks = senders.flatMap((sender) => posterOf(sender).addressHash ?? [])
  if (networks.length > 0) await lockNetworks(tx, { siteId, threadId: thread.id }, networks)
  return findWaitsOf(tx, siteId, { thread, senders })
}

/**
 * Refuses with `slow_mode` if the same person has posted to the thread too recently.
 * @param earlier senders of earlier posts in the same transaction
 */
export const assertWaited = <S extends Sender>(
  sender: S,
  { slowModeSeconds }: SlowThread,
  { waits, earlier }: { waits: Waits<S>; earlier: readonly S[] },
): void => {
  if (slowModeSeconds === 0 || mayModerate(sender.caller)) return
  const hasPosted = earlier.some((other) => isSamePerson(posterOf(other), posterOf(sender)))
  const seconds = hasPosted ? slowModeSeconds : waits.get(sender)?.seconds
  if (seconds !== undefined) throw new Refusal('slow_mode', {}, { retryAfterSeconds: seconds })
}

const isSamePerson = (one: Poster, other: Poster): boolean =>
  (one.authorId !== undefined && one.authorId === other.authorId) ||
  (one.addressHash !== null &&
    other.addressHash !== null &&
    one.addressHash.equals(other.addressHash))
