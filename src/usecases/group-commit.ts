import type { Tx } from '../postgres/connection/db.ts'
import { isLockTimeout } from '../postgres/connection/errors.ts'
import { inTransaction } from '../postgres/connection/transaction.ts'
import type { IdempotencyKey } from '../postgres/service/idempotency.ts'
import type { Context } from './context.ts'
import { invalidate } from './invalidate.ts'
import { recallResponses, rememberResponses } from './run-once.ts'
import type { GroupResult, Outcomes } from './write-queue.ts'

type Write = {
  readonly site: { readonly id: number }
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** The outcomes of the fresh writes of a group, and their effect on threads. */
export type StoredGroup<W, Effect> = {
  /** A write that would have to wait for a lock has none. */
  readonly outcomes: Outcomes<W, Effect>
  /** Returns the thread of a write; undefined if it does not exist. */
  readonly threadOf: (write: W) => number | undefined
  /** The threads in which readers can see a difference. */
  readonly changedThreads: readonly number[]
}

/**
 * Stores the writes of a group, each as if it came alone.
 * @param fresh the writes that do not repeat an earlier write; perhaps none
 * @param all the writes of the group, fresh or not
 */
export type StoreGroup<W, Effect> = (
  tx: Tx,
  fresh: readonly W[],
  all: readonly W[],
) => Promise<StoredGroup<W, Effect>>

/**
 * Commits writes to threads of one site in one transaction, and invalidates the threads in which readers can
 * see a difference. Each write gets its own response or refusal. Never rejects.
 */
export const commitGroup = async <W extends Write, Effect>(
  context: Context,
  writes: readonly W[],
  store: StoreGroup<W, Effect>,
): Promise<GroupResult<W, Effect>> => {
  const attempt: { changedThreads?: readonly number[] } = {}
  const makeVisible = async (): Promise<void> => {
    const threadIds = attempt.changedThreads ?? []
    if (threadIds.length > 0) await invalidate(context, { siteId: writes[0]!.site.id, threadIds })
  }
  try {
    const outcomes = await inTransaction(context.writes, async (tx) => {
      delete attempt.changedThreads
      const stored = await storeOnce(tx, writes, store)
      attempt.changedThreads = stored.changedThreads
      return stored.outcomes
    })
    return { outcomes, visible: makeVisible() }
  } catch (error) {
    if (error instanceof AllRefused)
      return { outcomes: error.outcomes as Outcomes<W, Effect>, visible: Promise.resolve() }
    // Nothing was left to do but the commit, which may have succeeded.
    const isRolledBack = attempt.changedThreads === undefined
    await makeVisible()
    return { error, isRolledBack }
  }
}

/** Gives no write an outcome if the transaction waited too long for the lock of one of them. */
export const leavingLockTimeouts = async <W extends Write, Effect>(
  commit: Promise<GroupResult<W, Effect>>,
): Promise<GroupResult<W, Effect>> => {
  const result = await commit
  const isLeft = 'error' in result && result.isRolledBack && isLockTimeout(result.error)
  return isLeft ? { outcomes: new Map(), visible: Promise.resolve() } : result
}

/** Rolls back a transaction without effect, so that it leaves no empty thread behind. */
class AllRefused extends Error {
  readonly outcomes: Outcomes<never, never>

  constructor(outcomes: Outcomes<never, never>) {
    super('all writes of the group are refused')
    this.outcomes = outcomes
  }
}

const storeOnce = async <W extends Write, Effect>(
  tx: Tx,
  writes: readonly W[],
  store: StoreGroup<W, Effect>,
): Promise<{ outcomes: Outcomes<W, Effect>; changedThreads: readonly number[] }> => {
  const recalled = await recallResponses<W, Effect>(tx, writes)
  const stored = await store(tx, recalled.fresh, writes)
  const outcomes = await rememberResponses(tx, recalled, stored.outcomes)
  const all = [...outcomes]
  if (all.every(([, outcome]) => 'refusal' in outcome)) throw new AllRefused(outcomes as never)
  // The node that wrote an earlier response may have crashed before it invalidated the thread.
  const answeredEarlier = all.flatMap(([write, outcome]) =>
    'isEarlier' in outcome ? (stored.threadOf(write) ?? []) : [],
  )
  return { outcomes, changedThreads: [...new Set([...stored.changedThreads, ...answeredEarlier])] }
}
