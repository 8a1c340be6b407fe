import type { Tx } from '../postgres/connection/db.ts'
import { isLockTimeout, mayBeCommitted } from '../postgres/connection/errors.ts'
import { type Send, sendTogether, sendWithCommit } from '../postgres/connection/pipeline.ts'
import { inTransaction } from '../postgres/connection/transaction.ts'
import type { IdempotencyKey } from '../postgres/service/idempotency.ts'
import type { Context } from './context.ts'
import { makeVisible } from './invalidate.ts'
import { type Recalled, recalledOutcomes, recallResponses, rememberResponses } from './run-once.ts'
import type { GroupResult, Outcomes } from './write-queue.ts'

type Write = {
  readonly site: { readonly id: number }
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** A group of writes as its transaction decided on them, before its last statements. */
export type DecidedGroup<W extends Write, Effect> = {
  readonly recalled: Recalled<W, Effect>
  /** The outcomes of fresh writes that `store` does not store. A write that would have to wait for a lock has none. */
  readonly outcomes: Outcomes<W, Effect>
  /** Stores the other fresh writes with the last statements of the group. Undefined if there are none. */
  readonly store?: ((send: Send) => Promise<Outcomes<W, Effect>>) | undefined
  /** Returns the thread of a write; undefined if it does not exist. */
  readonly threadOf: (write: W) => number | undefined
  /** The threads in which readers can see a difference, or which a response may tell of. */
  readonly changedThreads: readonly number[]
  /** Whether a response may tell that a comment is hidden: see `makeVisible`. Default: false. */
  readonly mayTellOfHide?: boolean
}

/** Decides on the writes of a group, as if they came one after the other. */
export type DecideGroup<W extends Write, Effect> = (
  tx: Tx,
  writes: readonly W[],
) => Promise<DecidedGroup<W, Effect>>

/** Finds the responses to repeated writes first, and decides on the fresh ones. */
export const decideFresh =
  <W extends Write, Effect>(
    decide: (tx: Tx, fresh: readonly W[]) => Promise<Omit<DecidedGroup<W, Effect>, 'recalled'>>,
  ): DecideGroup<W, Effect> =>
  async (tx, writes) => {
    const recalled = await recallResponses<W, Effect>(tx, writes)
    return { recalled, ...(await decide(tx, recalled.fresh)) }
  }

/**
 * Commits writes to threads of one site in one transaction, and invalidates the threads in which readers can
 * see a difference. Each write gets its own response or refusal. Never rejects.
 */
export const commitGroup = async <W extends Write, Effect>(
  context: Context,
  writes: readonly W[],
  decide: DecideGroup<W, Effect>,
): Promise<GroupResult<W, Effect>> => {
  let threadIds: readonly number[] = []
  let mayTellOfHide = false
  const showChanges = async (): Promise<void> => {
    const changes = { siteId: writes[0]!.site.id, threadIds, mayTellOfHide }
    if (threadIds.length > 0) await makeVisible(context, changes)
  }
  try {
    const outcomes = await inTransaction(context.writes, async (tx) => {
      const decided = await decide(tx, writes)
      threadIds = changedThreadsOf(decided)
      mayTellOfHide = decided.mayTellOfHide ?? false
      return storeOnce(tx, writes, decided)
    })
    return { outcomes, visible: showChanges() }
  } catch (error) {
    if (error instanceof AllRefused)
      return { outcomes: error.outcomes as Outcomes<W, Effect>, visible: showChanges() }
    const isRolledBack = !mayBeCommitted(error)
    if (!isRolledBack) await showChanges()
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

/** Stores writes and remembers their responses. The last statement takes the commit along. */
const storeOnce = async <W extends Write, Effect>(
  tx: Tx,
  writes: readonly W[],
  { recalled, outcomes: decided, store }: DecidedGroup<W, Effect>,
): Promise<Outcomes<W, Effect>> => {
  const hasKeys = writes.some(({ idempotencyKey }) => idempotencyKey)
  const stored = await store?.((queries) =>
    hasKeys ? sendTogether(tx, queries) : sendWithCommit(tx, queries),
  )
  const fresh = new Map([...decided, ...(stored ?? [])])
  const { outcomes, answers } = rememberResponses(recalled, fresh)
  if ([...outcomes.values()].every((outcome) => 'refusal' in outcome))
    throw new AllRefused(outcomes as never)
  if (answers) await sendWithCommit(tx, [answers])
  return outcomes
}

/** The node that wrote an earlier response may have crashed before it invalidated the thread. */
const changedThreadsOf = <W extends Write, Effect>({
  recalled,
  outcomes,
  threadOf,
  changedThreads,
}: DecidedGroup<W, Effect>): readonly number[] => {
  const answeredEarlier = [...recalledOutcomes(recalled), ...outcomes].flatMap(
    ([write, outcome]) => ('isEarlier' in outcome ? (threadOf(write) ?? []) : []),
  )
  return [...new Set([...changedThreads, ...answeredEarlier])]
}
