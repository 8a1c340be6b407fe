import { listCascaded } from '../../domain/comment/branch.ts'
import {
  isTransitionAllowed,
  isVisible,
  type Reason,
  type Status,
} from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Outcome } from '../../domain/moderation/decision.ts'
import { differenceOf } from '../../domain/moderation/decision.ts'
import {
  type Decidable,
  findDecidables,
  listBranchNodes,
  listLeftOut,
  type PathNode,
  type StatusTransition,
} from '../../postgres/comments/branches.ts'
import { resolveFlags } from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { type Send, sendTogether } from '../../postgres/connection/pipeline.ts'
import {
  type Decision,
  type DecisionOrigin,
  insertDecisions,
} from '../../postgres/moderation/decisions.ts'
import { changeStatuses, type ThreadKey } from './change-status.ts'

export type { ThreadKey } from './change-status.ts'

export type StatusRequest = {
  readonly to: Status
  readonly reason: Reason | null
  readonly note: string | null
  /** `same`: the decision cascades to replies of the same status. */
  readonly replies: 'keep' | 'same'
}

/** `seen`, `revision`: the status and the text that the moderator saw; undefined if any will do. */
export type DecisionTarget = {
  readonly id: number
  readonly seen: Status | undefined
  readonly revision?: number | null | undefined
}

export type DecisionResult = { readonly outcome: Outcome; readonly decision: Decision | null }

export type DecisionResults = {
  /** By comment, cascaded replies included. */
  readonly results: ReadonlyMap<number, DecisionResult>
  readonly version: number | undefined
}

/** A transition of a comment, with what its decision row says. */
export type TransitionRow = {
  readonly comment: Decidable
  readonly transition: StatusTransition
  readonly undoes?: number
  readonly causedBy?: number
  /** Default: those of the origin. */
  readonly statement?: Pick<DecisionOrigin, 'by' | 'reason' | 'note'>
}

/**
 * Decides on comments of one thread: each comment that still has the status that was seen, and may get
 * the requested one, gets it. The caller holds the exclusive thread lock.
 */
export const decideInThread = async (
  tx: Tx,
  thread: ThreadKey,
  {
    targets,
    request,
    origin,
  }: { targets: readonly DecisionTarget[]; request: StatusRequest; origin: DecisionOrigin },
): Promise<DecisionResults> => {
  const { to, reason, note, replies } = request
  const { siteId, threadId } = thread
  const keys = targets.map(({ id }) => ({ threadId, id }))
  const [found] = await sendTogether(tx, [findDecidables(siteId, keys)])
  const comments = new Map(found.map((comment) => [comment.id, comment]))
  const results = new Map<number, DecisionResult>()
  const requested: TransitionRow[] = []
  for (const { id, seen, revision } of targets) {
    const comment = comments.get(id)
    const outcome = outcomeOf(comment, { seen, revision, to })
    results.set(id, { outcome, decision: null })
    if (comment && outcome === 'changed') requested.push(toTransitionRow(comment, { threadId, to }))
  }
  const cascaded =
    replies === 'same'
      ? await listCascadedReplies(tx, thread, {
          ids: requested.map(({ comment }) => comment.id),
          to,
        })
      : []
  const { decisions, versions } = await decideAndResolve(tx, siteId, {
    requested,
    cascaded,
    origin: { ...origin, reason, note },
  })
  for (const [id, decision] of decisions) results.set(id, { outcome: 'changed', decision })
  return { results, version: versions.get(threadId) }
}

/** `writeTransitions`, and the flags on the comments are resolved. */
export const decideAndResolve = async (
  tx: Tx,
  siteId: number,
  { send = (queries) => sendTogether(tx, queries), ...transitions }: Transitions,
): Promise<WrittenTransitions> => {
  const { requested, cascaded } = transitions
  const flagged = [...requested, ...cascaded].filter(({ comment }) => comment.flagCount > 0)
  if (flagged.length === 0) return writeTransitions(tx, siteId, { ...transitions, send })
  const written = await writeTransitions(tx, siteId, transitions)
  const resolutions = flagged.map(({ comment: { id: commentId }, transition: { threadId } }) => ({
    threadId,
    commentId,
    decisionId: written.decisions.get(commentId)!.id,
  }))
  await send([resolveFlags(siteId, resolutions)])
  return written
}

type Seen = {
  readonly status: Status
  readonly revision: number
  readonly staysDeleted: boolean
}

/** The outcome that a request has for a comment. A comment that its author withdrew can only stay deleted. */
export const outcomeOf = (
  comment: Seen | undefined,
  { seen, revision, to }: Omit<DecisionTarget, 'id'> & { to: Status },
): Outcome => {
  if (!comment) return 'not_found'
  if (seen !== undefined && comment.status !== seen) return 'decision_conflict'
  if (revision && comment.revision !== revision) return 'changed_since'
  if (comment.status === to) return 'unchanged'
  const isAllowed =
    isTransitionAllowed(comment.status, to) && !(comment.staysDeleted && to !== 'deleted')
  return isAllowed ? 'changed' : 'move_not_allowed'
}

export const toTransitionRow = (
  comment: Decidable,
  { threadId, to }: { threadId: number; to: Status },
): TransitionRow => ({
  comment,
  transition: { threadId, id: comment.id, from: comment.status, to },
})

/** A transition of a reply, and the comment above it whose decision causes it. */
export type CascadedTransition = TransitionRow & { readonly causeId: number }

/** The replies to which a decision on these comments cascades. */
export const listCascadedReplies = async (
  tx: Tx,
  thread: ThreadKey,
  { ids, to }: { ids: readonly number[]; to: Status },
): Promise<CascadedTransition[]> => {
  if (ids.length === 0) return []
  const nodes = await listBranchNodes(tx, thread, Math.min(...ids))
  const replies = listCascaded(new Set(ids), nodes)
  const returning = replies.filter(({ node }) => node.status === 'deleted' || isVisible(to))
  const leftOut =
    returning.length > 0
      ? await listLeftOut(tx, thread, {
          ids: returning.map(({ node }) => node.id),
          isPublishing: isVisible(to),
        })
      : new Set()
  return replies
    .filter(({ node }) => !leftOut.has(node.id))
    .map(({ node, causeId }) => ({
      ...toTransitionRow(node, { threadId: thread.threadId, to }),
      causeId,
    }))
}

/** Transitions of comments of one site. */
export type Transitions = {
  readonly requested: readonly TransitionRow[]
  readonly cascaded: readonly CascadedTransition[]
  readonly origin: DecisionOrigin
  /** The requested comments and all their ancestors, if they are read and no transition cascades. */
  readonly paths?: readonly PathNode[]
  /** Sends the last statements; default: `sendTogether`. */
  readonly send?: Send
}

export type WrittenTransitions = {
  /** By comment. */
  readonly decisions: ReadonlyMap<number, Decision>
  /** The new versions of threads in which readers see a difference. */
  readonly versions: ReadonlyMap<number, number>
}

/**
 * Changes statuses and writes a decision for each: the requested ones first, then those they cascade to.
 * The caller holds the exclusive locks of the threads.
 */
export const writeTransitions = async (
  tx: Tx,
  siteId: number,
  { requested, cascaded, origin, paths, send }: Transitions,
): Promise<WrittenTransitions> => {
  const transitions = [...requested, ...cascaded].map(({ transition }) => transition)
  if (transitions.length === 0) return { decisions: new Map(), versions: new Map() }
  const { published, versions } = await changeStatuses(tx, siteId, transitions, paths)
  const toRow = ({ comment, transition, undoes, causedBy, statement }: TransitionRow) => ({
    threadId: transition.threadId,
    commentId: comment.id,
    from: transition.from,
    to: transition.to,
    ...sideEffects({ comment, transition, publishedAt: published.get(comment.id) ?? null }),
    ...(undoes !== undefined && { undoes }),
    ...(causedBy !== undefined && { causedBy }),
    ...statement,
  })
  const isLast = cascaded.length === 0
  const first = await insertDecisions(tx, origin, requested.map(toRow), isLast ? send : undefined)
  const decisions = new Map(first.map((decision) => [decision.commentId!, decision]))
  if (!isLast) {
    const rows = cascaded.map((row) => toRow({ ...row, causedBy: decisions.get(row.causeId)!.id }))
    for (const decision of await insertDecisions(tx, { ...origin, at: first[0]!.at }, rows, send))
      decisions.set(decision.commentId!, decision)
  }
  return { decisions, versions }
}

/** An undo restores the time of first publication and the shadow from here. */
const sideEffects = ({
  comment,
  transition: { to, shadowed = comment.shadowed && to === 'deleted' },
  publishedAt,
}: Pick<TransitionRow, 'comment' | 'transition'> & { publishedAt: Instant | null }) => {
  const { before, after } = differenceOf(
    { published_at: comment.publishedAt, shadowed: comment.shadowed },
    { published_at: publishedAt, shadowed },
  )
  return Object.keys(after).length > 0 ? { before, after } : {}
}
