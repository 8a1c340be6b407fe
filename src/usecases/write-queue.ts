import { setTimeout as sleep } from 'node:timers/promises'
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

/** Commits writes to one thread in one transaction. Never rejects. */
export type CommitGroup<W, Effect> = (writes: readonly W[]) => Promise<GroupResult<W, Effect>>

type QueuedWrite<W, Effect> = {
  readonly write: W
  /** `performance.now()` of its arrival. */
  readonly queuedAt: number
  readonly resolve: (written: Written<Effect>) => void
  readonly reject: (error: unknown) => void
}

/** The writes to one thread: those in the transaction in progress, and those that wait for it. */
type WriteQueue<W, Effect> = {
  committing: readonly QueuedWrite<W, Effect>[]
  readonly waiting: QueuedWrite<W, Effect>[]
}

/** The write queues of this node for one kind of write. */
export type WriteQueues<W extends Write, Effect> = {
  /** By thread; an idle thread has no queue. */
  readonly open: Map<string, WriteQueue<W, Effect>>
  /** How long a queue rests after each transaction. */
  readonly restMs: number
}

export const createWriteQueues = <W extends Write, Effect>({
  restMs = 0,
} = {}): WriteQueues<W, Effect> => ({ open: new Map(), restMs })

/**
 * Writes immediately if the thread has no write in progress; else waits, and shares the next
 * transaction with all other writes that wait. Rejects with the write's own refusal.
 */
export const enqueueWrite = <W extends Write, Effect>(
  queues: WriteQueues<W, Effect>,
  { thread, write }: { thread: string; write: W },
  commit: CommitGroup<W, Effect>,
): Promise<Written<Effect>> => {
  const { promise, resolve, reject } = Promise.withResolvers<Written<Effect>>()
  const queued = { write, queuedAt: performance.now(), resolve, reject }
  const queue = queues.open.get(thread)
  if (!queue) void runQueue(queues, { thread, first: queued }, commit)
  else if (isBeingCommitted(queue.committing, write)) reject(new Refusal('idempotency_in_flight'))
  else queue.waiting.push(queued)
  return promise
}

/** Writes with the same key that wait together are sorted out by `recallResponses`. */
const isBeingCommitted = (
  committing: readonly { readonly write: Write }[],
  { idempotencyKey }: Write,
): boolean =>
  idempotencyKey !== undefined &&
  committing.some(({ write }) => write.idempotencyKey?.keyHash.equals(idempotencyKey.keyHash))

const runQueue = async <W extends Write, Effect>(
  { open, restMs }: WriteQueues<W, Effect>,
  { thread, first }: { thread: string; first: QueuedWrite<W, Effect> },
  commit: CommitGroup<W, Effect>,
): Promise<void> => {
  const queue: WriteQueue<W, Effect> = { committing: [], waiting: [first] }
  open.set(thread, queue)
  while (queue.waiting.length > 0) {
    queue.committing = queue.waiting.splice(0, MAX_GROUP)
    const outage = await commitTogether(queue.committing, commit)
    if (outage) rejectLateWrites(queue.waiting, outage)
    queue.committing = []
    if (restMs > 0) await sleep(restMs)
  }
  open.delete(thread)
}

/**
 * Ends with the transaction; the responses follow when readers can see the writes.
 * @returns the refusal if Postgres is away
 */
const commitTogether = async <W extends Write, Effect>(
  group: readonly QueuedWrite<W, Effect>[],
  commit: CommitGroup<W, Effect>,
): Promise<Refusal | undefined> => {
  const result = await commit(group.map(({ write }) => write))
  if ('outcomes' in result) {
    void result.visible.then(() => respond(group, result.outcomes))
    return undefined
  }
  const { error, isRolledBack } = result
  const outage = error instanceof Refusal && error.code === 'unavailable' ? error : undefined
  if (isRolledBack && !outage && group.length > 1) return commitEach(group, commit)
  for (const { reject } of group) reject(error)
  return outage
}

/** Gives each write of a failed group a transaction of its own, so that only faulty writes fail. */
const commitEach = async <W extends Write, Effect>(
  group: readonly QueuedWrite<W, Effect>[],
  commit: CommitGroup<W, Effect>,
): Promise<Refusal | undefined> => {
  for (const [i, queued] of group.entries()) {
    const outage = await commitTogether([queued], commit)
    if (!outage) continue
    for (const { reject } of group.slice(i + 1)) reject(outage)
    return outage
  }
  return undefined
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
