import type { Tx } from '../../postgres/connection/db.ts'
import {
  type Decision,
  type DecisionBy,
  insertDecisions,
  type NewDecision,
} from '../../postgres/moderation/decisions.ts'
import { type Mark, type Marked, writeMarks } from '../../postgres/moderation/marks.ts'
import type { Undoable } from '../../postgres/moderation/undo.ts'
import { touchThread } from '../../postgres/threads/threads.ts'
import type { ThreadKey } from './decide-in-thread.ts'

type Written = {
  readonly decisions: ReadonlyMap<number, Decision>
  readonly version: number | undefined
}

/** A mark on a comment that changes, and what is written of it. */
export type MarkChange = Marked & { readonly undoes?: number }

/**
 * Pins or locks comments of one thread, which is held alone, or takes that from them.
 * @param changes the comment that is meant, then those that go along
 * @returns the decisions by comment, and the thread's new version if readers can see a difference
 */
export const markAll = async (
  tx: Tx,
  place: ThreadKey,
  { mark, changes, by }: { mark: Mark; changes: readonly MarkChange[]; by: DecisionBy },
): Promise<Written> => {
  const isSeen = await writeMarks(tx, place, mark, changes)
  const version = isSeen ? await touchThread(tx, place.siteId, place.threadId) : undefined
  const column = mark === 'pin' ? 'pinned' : 'locked'
  const toRow = ({ id, was, is, undoes }: MarkChange): NewDecision => ({
    action: mark,
    threadId: place.threadId,
    commentId: id,
    before: { [column]: was },
    after: { [column]: is },
    ...(undoes !== undefined && { undoes }),
  })
  const [top, ...others] = changes.map(toRow)
  const [first] = await insertDecisions(tx, by, [top!])
  const causedBy = first!.id
  const rows = others.map((row) => ({ ...row, causedBy }))
  const rest = rows.length > 0 ? await insertDecisions(tx, { ...by, at: first!.at }, rows) : []
  return { decisions: new Map([first!, ...rest].map((one) => [one.commentId!, one])), version }
}

/** Gives comments back the marks that decisions put on them or took. */
export const undoMarks = (
  tx: Tx,
  place: ThreadKey,
  { ready, taken, by }: { ready: readonly Undoable[]; taken: readonly Undoable[]; by: DecisionBy },
): Promise<Written> => {
  const mark = ready[0]!.action as Mark
  const toChange = ({ id, commentId, before, after }: Undoable): MarkChange => {
    const column = mark === 'pin' ? 'pinned' : 'locked'
    return { id: commentId, was: after![column] === true, is: before![column] === true, undoes: id }
  }
  return markAll(tx, place, { mark, changes: [...ready, ...taken].map(toChange), by })
}
