import { listCascaded } from '../../domain/comment/branch.ts'
import {
  isTransitionAllowed,
  isVisible,
  type Reason,
  type Status,
} from '../../domain/comment/status.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import {
  type Decidable,
  findDecidables,
  listBranchNodes,
  listErased,
  type StatusTransition,
} from '../../postgres/comments/branches.ts'
import { resolveFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  type Decision,
  type DecisionBy,
  insertDecisions,
} from '../../postgres/moderation/decisions.ts'
import { changeStatuses } from './change-status.ts'

export type ThreadKey = { readonly siteId: number; readonly threadId: number }

/** What is to be done to comments. */
export type StatusRequest = {
  readonly to: Status
  readonly reason: Reason | null
  readonly note: string | null
  /** `same`: what hangs below them and has the same status goes along. */
  readonly replies: 'keep' | 'same'
}

/** `seen`: the status that the moderator saw; undefined: whatever it is. */
export type DecisionTarget = { readonly id: number; readonly seen: Status | undefined }

/** What became of a comment. */
export type DecisionResult = { readonly outcome: Outcome; readonly decision: Decision | null }

export type DecisionResults = {
  /** By comment; replies that went along are among them. */
  readonly settled: ReadonlyMap<number, DecisionResult>
  readonly version: number | undefined
}

/** A move of a comment, and what is written of it. */
export type TransitionRow = {
  readonly comment: Decidable
  readonly move: StatusTransition
  readonly undoes?: number
  readonly causedBy?: number
}

/**
 * Decides on comments of one thread, which is held alone: each that still has the status that was seen,
 * and may get the other one, gets it.
 */
export const decideInThread = async (
  tx: Tx,
  place: ThreadKey,
  {
    wanted,
    order,
    by,
  }: { wanted: readonly DecisionTarget[]; order: StatusRequest; by: DecisionBy },
): Promise<DecisionResults> => {
  const comments = await findDecidables(
    tx,
    place,
    wanted.map(({ id }) => id),
  )
  const settled = new Map<number, DecisionResult>()
  const tops: TransitionRow[] = []
  for (const { id, seen } of wanted) {
    const comment = comments.get(id)
    const outcome = outcomeOf(comment, { seen, to: order.to })
    settled.set(id, { outcome, decision: null })
    if (comment && outcome === 'changed') tops.push(toTransitionRow(comment, order.to))
  }
  const taken = order.replies === 'same' ? await listCascadedReplies(tx, place, tops) : []
  const why = { ...by, reason: order.reason, note: order.note }
  const { decisions, version } = await writeTransitions(tx, place, { tops, taken, by: why })
  const flagged = [...tops, ...taken].filter(({ comment }) => comment.flagCount > 0)
  if (flagged.length > 0)
    await resolveFlags(
      tx,
      place,
      flagged.map(({ comment }) => decisions.get(comment.id)!),
    )
  for (const [id, decision] of decisions) settled.set(id, { outcome: 'changed', decision })
  return { settled, version }
}

/** What a decision does to a comment. Nothing of those who were erased comes back. */
export const outcomeOf = (
  comment: { readonly status: Status; readonly isErased: boolean } | undefined,
  { seen, to }: { seen: Status | undefined; to: Status },
): Outcome => {
  if (!comment) return 'not_found'
  if (seen !== undefined && comment.status !== seen) return 'decision_conflict'
  if (comment.status === to) return 'unchanged'
  const isAllowed =
    isTransitionAllowed(comment.status, to) && !(comment.isErased && to !== 'deleted')
  return isAllowed ? 'changed' : 'move_not_allowed'
}

const toTransitionRow = (comment: Decidable, to: Status): TransitionRow => ({
  comment,
  move: { id: comment.id, from: comment.status, to },
})

/** A reply that goes along, and the comment above it that takes it. */
export type CascadedTransition = TransitionRow & { readonly causeId: number }

const listCascadedReplies = async (
  tx: Tx,
  place: ThreadKey,
  tops: readonly TransitionRow[],
): Promise<CascadedTransition[]> => {
  if (tops.length === 0) return []
  const { to } = tops[0]!.move
  const ids = tops.map(({ comment }) => comment.id)
  const members = await listBranchNodes(tx, place, Math.min(...ids))
  const below = listCascaded(new Set(ids), members)
  const returning = below.filter(({ node }) => node.status === 'deleted' || isVisible(to))
  const returningIds = returning.map(({ node }) => node.id)
  const erased = returningIds.length > 0 ? await listErased(tx, place, returningIds) : new Set()
  return below
    .filter(({ node }) => !erased.has(node.id))
    .map(({ node, causeId }) => ({ ...toTransitionRow(node, to), causeId }))
}

/**
 * Moves comments and writes a decision for each, those that caused others first.
 * @returns the decisions by comment
 */
export const writeTransitions = async (
  tx: Tx,
  place: ThreadKey,
  {
    tops,
    taken,
    by,
  }: { tops: readonly TransitionRow[]; taken: readonly CascadedTransition[]; by: DecisionBy },
): Promise<{ decisions: ReadonlyMap<number, Decision>; version: number | undefined }> => {
  const all = [...tops, ...taken]
  if (all.length === 0) return { decisions: new Map(), version: undefined }
  const { published, version } = await changeStatuses(
    tx,
    place,
    all.map(({ move }) => move),
  )
  const toRow = ({ comment, move, undoes, causedBy }: TransitionRow) => ({
    threadId: place.threadId,
    commentId: comment.id,
    from: move.from,
    to: move.to,
    ...differenceOf(comment.publishedAt, published.get(comment.id) ?? null),
    ...(undoes !== undefined && { undoes }),
    ...(causedBy !== undefined && { causedBy }),
  })
  const first = await insertDecisions(tx, by, tops.map(toRow))
  const decisions = new Map(first.map((decision) => [decision.commentId!, decision]))
  if (taken.length > 0) {
    const causedBy = (one: CascadedTransition) => ({
      ...one,
      causedBy: decisions.get(one.causeId)!.id,
    })
    const rows = taken.map((one) => toRow(causedBy(one)))
    for (const decision of await insertDecisions(tx, { ...by, at: first[0]!.at }, rows))
      decisions.set(decision.commentId!, decision)
  }
  return { decisions, version }
}

/** When it was published first is for whoever takes the decision back. */
const differenceOf = (before: string | null, after: string | null) =>
  before === after ? {} : { before: { published_at: before }, after: { published_at: after } }
