import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../domain/refusal.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'

/** More would only make the first of them wait for the last. */
const MAX_WRITES = 64

/** A transaction takes up to 2.8 s when Postgres does not answer, and a caller has its answer after 3 s. */
const PATIENCE_MS = 200

/** A write that can wait for a transaction of its thread. */
type Write = { readonly claim: IdempotencyKey | undefined }

/** A write that waits, and whom to tell. */
export type QueuedWrite<W extends Write> = W & {
  /** `performance.now()` when it came. */
  readonly since: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/** The writes of one thread: those in the transaction under way, and those for the next one. */
type WriteQueue<W extends Write> = {
  underWay: readonly QueuedWrite<W>[]
  readonly waiting: QueuedWrite<W>[]
}

/** The lines of this node, by thread. A thread that nobody writes to at this moment has none. */
export type WriteQueues<W extends Write> = {
  readonly open: Map<string, WriteQueue<W>>
  /** So long a line rests after a transaction before it takes the next. */
  readonly restMs: number
}

export const createWriteQueues = <W extends Write>({ restMs = 0 } = {}): WriteQueues<W> => ({
  open: new Map(),
  restMs,
})

/** Ends with the transaction. @returns why, when Postgres is away */
export type CommitGroup<W extends Write> = (
  writes: readonly QueuedWrite<W>[],
) => Promise<Refusal | undefined>

/**
 * Writes at once when no other write of the thread is under way; else with all that wait for the next
 * transaction by then.
 * @returns its answer
 */
export const enqueueWrite = <W extends Write>(
  lines: WriteQueues<W>,
  { thread, write }: { thread: string; write: W },
  together: CommitGroup<W>,
): Promise<unknown> => {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const waiting = { ...write, since: performance.now(), resolve, reject }
  const line = lines.open.get(thread)
  if (line) join(line, waiting)
  else void work(lines, { thread, line: { underWay: [], waiting: [waiting] } }, together)
  return promise
}

/** A key that is being written is taken; those that wait together are told apart by what they say. */
const join = <W extends Write>(line: WriteQueue<W>, write: QueuedWrite<W>): void => {
  const { claim } = write
  const isTaken = claim && line.underWay.some((other) => other.claim?.claim.equals(claim.claim))
  if (isTaken) write.reject(new Refusal('idempotency_in_flight'))
  else line.waiting.push(write)
}

const work = async <W extends Write>(
  { open, restMs }: WriteQueues<W>,
  { thread, line }: { thread: string; line: WriteQueue<W> },
  together: CommitGroup<W>,
): Promise<void> => {
  open.set(thread, line)
  while (line.waiting.length > 0) {
    line.underWay = line.waiting.splice(0, MAX_WRITES)
    const fault = await together(line.underWay)
    if (fault) giveUp(line, fault)
    line.underWay = []
    if (restMs > 0) await sleep(restMs)
  }
  open.delete(thread)
}

/** Postgres is away: who has waited long has no time for another attempt. */
const giveUp = <W extends Write>({ waiting }: WriteQueue<W>, fault: unknown): void => {
  const latest = performance.now() - PATIENCE_MS
  while (waiting[0] && waiting[0].since < latest) waiting.shift()!.reject(fault)
}
