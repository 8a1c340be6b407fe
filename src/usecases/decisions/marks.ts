import { descendantsOf } from '../../domain/comment/branch.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import {
  type Decision,
  type DecisionOrigin,
  insertDecisions,
  type NewDecision,
} from '../../postgres/moderation/decisions.ts'
import {
  listMarks,
  type Mark,
  type MarkTransition,
  writeMarks,
} from '../../postgres/moderation/marks.ts'
import type { Undoable } from '../../postgres/moderation/undo.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { touchThread } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import type { ThreadKey } from './decide-in-thread.ts'

export type MarkRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly comment: CommentKey
  readonly is: boolean
  readonly idempotencyKey: IdempotencyKey | undefined
}

export type MarkResult = {
  readonly comment: CommentKey
  readonly is: boolean
  /** Null if the comment had the mark already. */
  readonly decision: Decision | null
  readonly version: number | undefined
}

/** Pins a comment, or removes the pin. */
export const pinComment = <Answer>(
  context: Context,
  request: MarkRequest,
  present: (result: MarkResult) => Answer,
): Promise<Answer> => markComment(context, { ...request, mark: 'pin' }, present)

/** Closes a branch to replies, edits and votes, or opens it again. */
export const lockComment = <Answer>(
  context: Context,
  request: MarkRequest,
  present: (result: MarkResult) => Answer,
): Promise<Answer> => markComment(context, { ...request, mark: 'lock' }, present)

const markComment = <Answer>(
  context: Context,
  request: MarkRequest & { mark: Mark },
  present: (result: MarkResult) => Answer,
): Promise<Answer> => {
  const { site, comment, is, mark, idempotencyKey } = request
  const thread = { siteId: site.id, threadId: comment.threadId }
  const invalidated = { siteId: site.id, threadIds: [comment.threadId], isHide: false }
  return withInvalidation(context, invalidated, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      await acquireThreadLock(tx, thread, 'exclusive')
      const changes = await listChanges(tx, thread, request)
      if (changes.length === 0) return present({ comment, is, decision: null, version: undefined })
      const origin = { siteId: site.id, by: callerIdOf(request.moderator) }
      const { decisions, version } = await changeMarks(tx, thread, { mark, changes, origin })
      return present({ comment, is, decision: decisions.get(comment.id)!, version })
    }),
  )
}

/** The comment itself first, even if only replies below it change; empty if nothing changes. */
const listChanges = async (
  tx: Tx,
  thread: ThreadKey,
  { comment, mark, is }: MarkRequest & { mark: Mark },
): Promise<MarkChange[]> => {
  const nodes = await listMarks(tx, thread, mark, comment.id)
  const [top] = nodes
  if (top?.id !== comment.id) throw new Refusal('not_found')
  const replies = descendantsOf(top.id, nodes).filter(({ isMarked }) => isMarked !== is)
  if (top.isMarked === is && replies.length === 0) return []
  return [top, ...replies].map(({ id, isMarked }) => ({ id, was: isMarked, is }))
}

/** `undoes`: the decision that set the mark before. */
type MarkChange = MarkTransition & { readonly undoes?: number }

export type MarkDecisions = {
  /** By comment. */
  readonly decisions: ReadonlyMap<number, Decision>
  /** Undefined if readers see no difference. */
  readonly version: number | undefined
  /** How many comments have another mark now. */
  readonly comments: number
}

export type MarkOrigin = {
  readonly origin: DecisionOrigin
  /** The decision that causes all changes. Undefined: the first change causes the others. */
  readonly causedBy?: number
}

/**
 * Changes marks in one thread. The caller holds the exclusive thread lock.
 * @param changes the requested comment first, then the replies that it cascades to
 */
const changeMarks = async (
  tx: Tx,
  thread: ThreadKey,
  { mark, changes, origin, causedBy }: MarkOrigin & { mark: Mark; changes: readonly MarkChange[] },
): Promise<MarkDecisions> => {
  if (changes.length === 0) return { decisions: new Map(), version: undefined, comments: 0 }
  const isSeen = await writeMarks(tx, thread, mark, changes)
  const version = isSeen ? await touchThread(tx, thread.siteId, thread.threadId) : undefined
  const toRow = ({ id, was, is, undoes }: MarkChange): NewDecision => ({
    action: mark,
    threadId: thread.threadId,
    commentId: id,
    before: { [FIELD_OF[mark]]: was },
    after: { [FIELD_OF[mark]]: is },
    ...(undoes !== undefined && { undoes }),
  })
  const rows = changes.map(toRow)
  const requested = causedBy === undefined ? rows.slice(0, 1) : []
  const [first] = requested.length > 0 ? await insertDecisions(tx, origin, requested) : []
  const cause = { causedBy: causedBy ?? first!.id }
  const cascaded = rows.slice(requested.length).map((row) => ({ ...row, ...cause }))
  const at = first && { at: first.at }
  const rest = cascaded.length > 0 ? await insertDecisions(tx, { ...origin, ...at }, cascaded) : []
  const all = first ? [first, ...rest] : rest
  const decisions = new Map(all.map((decision) => [decision.commentId!, decision]))
  const comments = changes.filter(({ was, is }) => was !== is).length
  return { decisions, version, comments }
}

/** Locks comments that were moved below a locked one. The caller holds the exclusive thread lock. */
export const lockBranch = (
  tx: Tx,
  thread: ThreadKey,
  { movers, ...cause }: MarkOrigin & { movers: readonly { id: number; locked: boolean }[] },
): Promise<MarkDecisions> => {
  const changes = movers
    .filter(({ locked }) => !locked)
    .map(({ id }) => ({ id, was: false, is: true }))
  return changeMarks(tx, thread, { mark: 'lock', changes, ...cause })
}

/** The name of a mark in `before` and `after` of a decision. */
const FIELD_OF = { pin: 'pinned', lock: 'locked' } as const

/** Undoes decisions on marks of one kind: one with those that it caused, or those that a move caused. */
export const undoMarks = (
  tx: Tx,
  thread: ThreadKey,
  {
    targets,
    cascaded,
    ...cause
  }: MarkOrigin & {
    targets: readonly Undoable[]
    cascaded: readonly Undoable[]
  },
): Promise<MarkDecisions> => {
  const mark = (targets[0]?.action ?? 'lock') as Mark
  const toChange = ({ id, commentId, before, after }: Undoable): MarkChange => ({
    id: commentId,
    was: after![FIELD_OF[mark]] === true,
    is: before![FIELD_OF[mark]] === true,
    undoes: id,
  })
  const changes = [...targets, ...cascaded].map(toChange)
  return changeMarks(tx, thread, { mark, changes, ...cause })
}
