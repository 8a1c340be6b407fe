import { setImmediate as endOfTurn, setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../domain/refusal.ts'
import type { IdempotencyKey } from '../postgres/service/idempotency.ts'

/** In a larger group the first write would wait for the last. */
const MAX_GROUP = 64

/**
 * How long a write can have waited for an outage of Postgres and still try another transaction. A
 * transaction takes up to 2.8 s to fail, and the response is due after 3 s.
 */
const MAX_WAIT_MS = 200

type Write = { readonly idempotencyKey: IdempotencyKey | undefined }

/** A write that succeeded. `effect`: undefined if the response repeats an earlier one. */
export type Written<Effect> = { readonly response: unknown; readonly effect?: Effect }

/** The end of a write. `isEarlier`: the response comes from an earlier transaction. */
export type Outcome<Effect> =
  | (Written<Effect> & { readonly isEarlier?: true })
  | { readonly refusal: Refusal }

export type Outcomes<W, Effect> = ReadonlyMap<W, Outcome<Effect>>

/** The end of the transaction of a group of writes. */
export type GroupResult<W, Effect> =
  /** `visible` resolves when readers can see the writes. */
  | { readonly outcomes: Outcomes<W, Effect>; readonly visible: Promise<unknown> }
  /** `isRolledBack`: the transaction certainly wrote nothing. */
  | { readonly error: unknown; readonly isRolledBack: boolean }

/** Commits writes in one transaction. Never rejects. */
export type CommitGroup<W, Effect> = (writes: readonly W[]) => Promise<GroupResult<W, Effect>>

/** How to commit the writes of a site and those of a thread. */
export type Commits<W, Effect> = {
  /** Waits for no lock of a single thread: a write that would have to wait has no outcome. */
  readonly together: CommitGroup<W, Effect>
  /** Waits for locks; every write to the thread has an outcome. */
  readonly patiently: CommitGroup<W, Effect>
}

type QueuedWrite<W, Effect> = {
  readonly thread: string
  readonly write: W
  /** `performance.now()` of its arrival. */
  readonly queuedAt: number
  readonly resolve: (written: Written<Effect>) => void
  readonly reject: (error: unknown) => void
}

/** The writes to one thread or site: those in the transaction in progress, and those that wait for it. */
type WriteQueue<W, Effect> = {
  committing: readonly QueuedWrite<W, Effect>[]
  readonly waiting: QueuedWrite<W, Effect>[]
}

type Way<W, Effect> = {
  readonly commit: CommitGroup<W, Effect>
  /** Runs after the transaction of a group, and resolves when the next group can follow. */
  readonly rest: (group: readonly QueuedWrite<W, Effect>[]) => Promise<unknown> | undefined
  /** Takes a write out of the next group if it cannot take part. @returns whether it did */
  readonly divert?: (queued: QueuedWrite<W, Effect>) => boolean
  /** Takes a write that got no outcome. */
  readonly leave?: (queued: QueuedWrite<W, Effect>) => void
}

/** The write queues of this node for one kind of write. */
export type WriteQueues<W extends Write, Effect> = {
  /** By thread or site; an idle one has no queue. */
  readonly open: Map<string, WriteQueue<W, Effect>>
  /** The writes that wait until the rest of their thread is over. */
  readonly resting: Map<string, QueuedWrite<W, Effect>[]>
  /** How long a thread rests after each transaction with a write to it. */
  readonly restMs: number
}

export const createWriteQueues = <W extends Write, Effect>({
  restMs = 0,
} = {}): WriteQueues<W, Effect> => ({ open: new Map(), resting: new Map(), restMs })

/**
 * Writes at the end of the turn of the event loop if the site has no write in progress; else waits, and shares the
 * next transaction with all other writes that wait, to whatever threads. Rejects with the write's own refusal. A write
 * that would have to wait for a lock goes to the queue of its thread, and the following writes to the thread go there
 * too until that queue is idle. So a lock on one thread, or the rest of one, delays no other thread.
 */
export const enqueueSharedWrite = <W extends Write, Effect>(
  queues: WriteQueues<W, Effect>,
  { site, thread, write }: { site: string; thread: string; write: W },
  { together, patiently }: Commits<W, Effect>,
): Promise<Written<Effect>> => {
  const { open, resting, restMs } = queues
  const { promise, ...settlers } = Promise.withResolvers<Written<Effect>>()
  const leave = (queued: QueuedWrite<W, Effect>) =>
    addToQueue(queues, queued.thread, [queued], {
      commit: patiently,
      rest: () => (restMs > 0 ? sleep(restMs) : undefined),
    })
  const divert = (queued: QueuedWrite<W, Effect>): boolean => {
    const rested = resting.get(queued.thread)
    if (rested) rested.push(queued)
    else if (open.has(queued.thread)) leave(queued)
    else return false
    return true
  }
  const enter = (writes: readonly QueuedWrite<W, Effect>[]): void => {
    const ready = writes.filter((queued) => !divert(queued))
    addToQueue(queues, site, ready, { commit: together, rest, divert, leave })
  }
  const rest = (group: readonly QueuedWrite<W, Effect>[]): undefined => {
    if (restMs === 0 || group.length === 0) return
    const threads = new Set(group.map((one) => one.thread))
    for (const name of threads) resting.set(name, [])
    setTimeout(() => {
      const rested = [...threads].flatMap((name) => resting.get(name)!)
      for (const name of threads) resting.delete(name)
      enter(rested)
    }, restMs)
  }
  enter([{ thread, write, queuedAt: performance.now(), ...settlers }])
  return promise
}

const addToQueue = <W extends Write, Effect>(
  queues: WriteQueues<W, Effect>,
  name: string,
  writes: readonly QueuedWrite<W, Effect>[],
  way: Way<W, Effect>,
): void => {
  const queue = queues.open.get(name)
  if (!queue) {
    if (writes.length > 0) void runQueue(queues, { name, writes }, way)
    return
  }
  for (const queued of writes)
    if (isBeingCommitted(queue.committing, queued.write))
      queued.reject(new Refusal('idempotency_in_flight'))
    else queue.waiting.push(queued)
}

/** Writes with the same key that wait together are sorted out by `recallResponses`. */
const isBeingCommitted = (
  committing: readonly { readonly write: Write }[],
  { idempotencyKey }: Write,
): boolean =>
  idempotencyKey !== undefined &&
  committing.some(({ write }) => write.idempotencyKey?.keyHash.equals(idempotencyKey.keyHash))

const runQueue = async <W extends Write, Effect>(
  { open }: WriteQueues<W, Effect>,
  { name, writes }: { name: string; writes: readonly QueuedWrite<W, Effect>[] },
  way: Way<W, Effect>,
): Promise<void> => {
  const queue: WriteQueue<W, Effect> = { committing: [], waiting: [...writes] }
  open.set(name, queue)
  // Requests often arrive together: the responses of one transaction send their clients back at the same time.
  await endOfTurn()
  while (queue.waiting.length > 0) {
    queue.committing = takeGroup(queue.waiting, way)
    const outage = await commitTogether(queue.committing, way)
    if (outage) rejectLateWrites(queue.waiting, outage)
    const group = queue.committing
    queue.committing = []
    await way.rest(group)
  }
  open.delete(name)
}

const takeGroup = <W, Effect>(
  waiting: QueuedWrite<W, Effect>[],
  { divert = () => false }: Way<W, Effect>,
): readonly QueuedWrite<W, Effect>[] => {
  const group: QueuedWrite<W, Effect>[] = []
  while (waiting.length > 0 && group.length < MAX_GROUP) {
    const queued = waiting.shift()!
    if (!divert(queued)) group.push(queued)
  }
  return group
}

/**
 * Ends with the transaction; the responses follow when readers can see the writes.
 * @returns the refusal if Postgres is away
 */
const commitTogether = async <W extends Write, Effect>(
  group: readonly QueuedWrite<W, Effect>[],
  way: Way<W, Effect>,
): Promise<Refusal | undefined> => {
  if (group.length === 0) return undefined
  const result = await way.commit(group.map(({ write }) => write))
  if ('outcomes' in result) {
    const { outcomes, visible } = result
    const ended = group.filter(({ write }) => outcomes.has(write))
    for (const queued of group) if (!outcomes.has(queued.write)) way.leave!(queued)
    void visible.then(() => respond(ended, outcomes))
    return undefined
  }
  const { error, isRolledBack } = result
  const outage = error instanceof Refusal && error.code === 'unavailable' ? error : undefined
  if (isRolledBack && !outage && group.length > 1) return commitHalves(group, way)
  for (const { reject } of group) reject(error)
  return outage
}

/** Commits the halves of a failed group one after the other, until only faulty writes fail. */
const commitHalves = async <W extends Write, Effect>(
  group: readonly QueuedWrite<W, Effect>[],
  way: Way<W, Effect>,
): Promise<Refusal | undefined> => {
  const middle = Math.ceil(group.length / 2)
  const outage = await commitTogether(group.slice(0, middle), way)
  if (!outage) return commitTogether(group.slice(middle), way)
  for (const { reject } of group.slice(middle)) reject(outage)
  return outage
}

const respond = <W, Effect>(
  group: readonly QueuedWrite<W, Effect>[],
  outcomes: Outcomes<W, Effect>,
): void => {
  for (const { write, resolve, reject } of group) {
    const outcome = outcomes.get(write)!
    if ('refusal' in outcome) reject(outcome.refusal)
    else resolve(outcome)
  }
}

const rejectLateWrites = (
  waiting: Pick<QueuedWrite<never, never>, 'queuedAt' | 'reject'>[],
  outage: Refusal,
): void => {
  const latest = performance.now() - MAX_WAIT_MS
  while (waiting[0] && waiting[0].queuedAt < latest) waiting.shift()!.reject(outage)
}
