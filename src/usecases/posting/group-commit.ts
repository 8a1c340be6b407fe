import { Refusal } from '../../domain/refusal.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction } from '../../postgres/connection/transaction.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { invalidate } from '../invalidate.ts'
import { type Outcomes, runEachOnce } from '../run-once.ts'
import type { QueuedWrite } from './write-queue.ts'

type Write = { readonly site: { readonly id: number }; readonly claim: IdempotencyKey | undefined }

/** What is known of a transaction, whatever becomes of it. */
type Attempt = {
  /** The threads in which readers will see a difference. */
  readonly changed: Set<number>
  /** All but the commit is done, so nobody knows what a fault means. */
  isWhole: boolean
}

/** How one kind of write is done. */
export type WriteHandler<W extends Write> = {
  /**
   * Does those that repeat no earlier one, each as if it came alone.
   * @param changed is given the threads in which readers will see a difference
   */
  readonly act: (tx: Tx, fresh: readonly W[], changed: Set<number>) => Promise<Outcomes<W>>
  /** The thread of all of them; undefined when there is none. */
  readonly findThread: (tx: Tx, write: W) => Promise<number | undefined>
}

/**
 * Does writes to one thread in one transaction, and gives each its own answer or refusal. When the
 * transaction fails before its commit, and not because Postgres is away, each is done alone, so that
 * only those fail that are at fault. Never rejects. It ends with the transaction; the answers
 * come after that, when readers can see what was written.
 * @returns why, when Postgres is away
 */
export const commitGroup = async <W extends Write>(
  context: Context,
  writes: readonly QueuedWrite<W>[],
  doing: WriteHandler<W>,
): Promise<Refusal | undefined> => {
  const attempt: Attempt = { changed: new Set(), isWhole: false }
  try {
    const outcomes = await transact(context, { writes, attempt }, doing)
    void tell(context, { writes, attempt }, (write) => {
      const outcome = outcomes.get(write)!
      if ('answer' in outcome) write.resolve(outcome.answer)
      else write.reject(outcome.refusal)
    })
  } catch (error) {
    const isAway = error instanceof Refusal && error.code === 'unavailable'
    if (!isAway && !attempt.isWhole && writes.length > 1) return writeEach(context, writes, doing)
    void tell(context, { writes, attempt }, (write) => write.reject(error))
    return isAway ? error : undefined
  }
}

/** Ends a transaction that has nothing to keep, not even a thread that it made. */
class AllRefused extends Error {
  readonly outcomes: Outcomes<never>

  constructor(outcomes: Outcomes<never>) {
    super('nothing is written')
    this.outcomes = outcomes
  }
}

type Batch<W extends Write> = {
  readonly writes: readonly QueuedWrite<W>[]
  readonly attempt: Attempt
}

const transact = async <W extends Write>(
  context: Context,
  { writes, attempt }: Batch<W>,
  { act, findThread }: WriteHandler<W>,
): Promise<Outcomes<W>> => {
  const { changed } = attempt
  try {
    return await inTransaction(context.writes, async (tx) => {
      attempt.isWhole = false
      const outcomes = await runEachOnce<W>(tx, writes, (fresh) => act(tx, fresh, changed))
      const all = [...outcomes.values()]
      if (all.every((outcome) => 'refusal' in outcome)) throw new AllRefused(outcomes as never)
      // Whoever gave the answer first may have ended before telling anybody.
      if (all.some((outcome) => 'isEarlier' in outcome)) {
        const threadId = await findThread(tx, writes[0]!)
        if (threadId !== undefined) changed.add(threadId)
      }
      attempt.isWhole = true
      return outcomes
    })
  } catch (error) {
    if (error instanceof AllRefused) return error.outcomes as Outcomes<W>
    throw error
  }
}

const writeEach = async <W extends Write>(
  context: Context,
  writes: readonly QueuedWrite<W>[],
  doing: WriteHandler<W>,
): Promise<Refusal | undefined> => {
  for (const [n, write] of writes.entries()) {
    const fault = await commitGroup(context, [write], doing)
    if (!fault) continue
    for (const rest of writes.slice(n + 1)) rest.reject(fault)
    return fault
  }
}

/** Also when nobody knows whether there was a commit. */
const tell = async <W extends Write>(
  context: Context,
  { writes, attempt: { changed } }: Batch<W>,
  settle: (write: QueuedWrite<W>) => void,
): Promise<void> => {
  if (changed.size > 0)
    await invalidate(context, { siteId: writes[0]!.site.id, threadIds: [...changed] })
  writes.forEach(settle)
}
