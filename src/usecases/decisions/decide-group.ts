import { isVisible } from '../../domain/comment/status.ts'
import {
  type DecidableTarget,
  findDecidables,
  listAncestorPaths,
  type PathNode,
} from '../../postgres/comments/branches.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { type Send, sendTogether } from '../../postgres/connection/pipeline.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { TRY_LOCKS_BY_ID, toLockedThreads } from '../../postgres/threads/threads.ts'
import type { DecidedGroup, DecideGroup } from '../group-commit.ts'
import { askForResponses, recallResponses } from '../run-once.ts'
import type { Outcome, Outcomes } from '../write-queue.ts'
import {
  decideAndResolve,
  decideInThread,
  outcomeOf,
  type TransitionRow,
  toTransitionRow,
} from './decide-in-thread.ts'
import { type QueuedDecision, refusalOf, statementOf } from './decision-request.ts'

type Group = DecidedGroup<QueuedDecision, undefined>

const threadOf = ({ comment: { threadId } }: QueuedDecision): number => threadId

/** Decides on comments of one thread, one after the other. It waits for the lock. */
export const decidePatiently: DecideGroup<QueuedDecision, undefined> = async (tx, all) => {
  const recalled = await recallResponses<QueuedDecision, undefined>(tx, all)
  const { fresh } = recalled
  const outcomes = new Map<QueuedDecision, Outcome<undefined>>()
  if (fresh.length > 0) {
    const { site, comment } = fresh[0]!
    const thread = { siteId: site.id, threadId: comment.threadId }
    await acquireThreadLock(tx, thread, 'exclusive')
    for (const decision of fresh) outcomes.set(decision, await decideAlone(tx, thread, decision))
  }
  const group = { recalled, outcomes, threadOf, changedThreads: fresh.map(threadOf) }
  return { ...group, mayTellOfHide: mayTellOfHide(fresh, group) }
}

const decideAlone = async (
  tx: Tx,
  thread: { siteId: number; threadId: number },
  request: QueuedDecision,
): Promise<Outcome<undefined>> => {
  const { comment, present } = request
  const { results, version } = await decideInThread(tx, thread, {
    targets: [{ id: comment.id, seen: request.from, revision: request.revision }],
    request,
    origin: { siteId: thread.siteId, ...statementOf(request) },
  })
  const { outcome, decision } = results.get(comment.id)!
  if (!decision) return { refusal: refusalOf(outcome) }
  return { response: present({ decision, version }) }
}

/**
 * Decides on comments of one site, each as if the decision came alone. A decision gets no outcome if another
 * transaction has locked its thread, if it can cascade to replies, or if it follows another one on its comment.
 */
export const decideTogether: DecideGroup<QueuedDecision, undefined> = async (tx, all) => {
  const siteId = all[0]!.site.id
  const responses = askForResponses<QueuedDecision, undefined>(all)
  const keys = all.map(({ comment }) => comment)
  const [locks, held, answers, comments, paths] = await sendTogether(tx, [
    TRY_LOCKS_BY_ID.exclusive({ siteId, ids: [...new Set(all.map(threadOf))] }),
    ...responses.queries,
    findDecidables(siteId, keys),
    listAncestorPaths(siteId, keys),
  ])
  const recalled = responses.toRecalled([held, answers])
  const locked = toLockedThreads(locks)
  const decided = new Set<number>()
  const ready = recalled.fresh.filter(({ comment: { threadId, id }, replies }) => {
    if (!locked.has(threadId) || decided.has(id)) return false
    decided.add(id)
    return replies === 'keep'
  })
  const group = { recalled, ...decideOn(tx, ready, { siteId, comments, paths }) }
  return { ...group, mayTellOfHide: mayTellOfHide(ready, group) }
}

/** Besides a hide itself, a refusal and an earlier response may tell that a comment is hidden. */
const mayTellOfHide = (
  decisions: readonly QueuedDecision[],
  { recalled, outcomes }: Pick<Group, 'recalled' | 'outcomes'>,
): boolean =>
  decisions.some(({ to }) => !isVisible(to)) ||
  recalled.remembered.size > 0 ||
  outcomes.values().some((outcome) => 'refusal' in outcome)

type Read = {
  readonly siteId: number
  readonly comments: readonly DecidableTarget[]
  /** The comments with all their ancestors. */
  readonly paths: readonly PathNode[]
}

/** Decides on different comments by what was read under the locks of their threads. */
const decideOn = (
  tx: Tx,
  decisions: readonly QueuedDecision[],
  { siteId, comments, paths }: Read,
): Omit<Group, 'recalled'> => {
  const refused = new Map<QueuedDecision, Outcome<undefined>>()
  const changes = new Map<QueuedDecision, TransitionRow>()
  const found = new Map(comments.map((comment) => [comment.id, comment]))
  for (const decision of decisions) {
    const { threadId, id } = decision.comment
    const { from: seen, revision, to } = decision
    const comment = found.get(id)
    const isThere = comment?.threadId === threadId
    const outcome = outcomeOf(isThere ? comment : undefined, { seen, revision, to })
    if (outcome !== 'changed') refused.set(decision, { refusal: refusalOf(outcome) })
    else {
      const statement = statementOf(decision)
      changes.set(decision, { ...toTransitionRow(comment!, { threadId, to }), statement })
    }
  }
  const store = async (send: Send): Promise<Outcomes<QueuedDecision, undefined>> => {
    const decided = [...changes.keys()]
    const { decisions, versions } = await decideAndResolve(tx, siteId, {
      requested: [...changes.values()],
      cascaded: [],
      origin: { siteId, ...statementOf(decided[0]!) },
      paths,
      send,
    })
    return new Map(
      decided.map((one) => {
        const { threadId, id } = one.comment
        const decision = decisions.get(id)!
        return [one, { response: one.present({ decision, version: versions.get(threadId) }) }]
      }),
    )
  }
  return {
    outcomes: refused,
    store: changes.size > 0 ? store : undefined,
    threadOf,
    changedThreads: decisions.map(threadOf),
  }
}
