/** What moderators do. `status` is the common one; each act is one row of the audit trail. */
export const DECISION_ACTIONS = [
  'status',
  'edit',
  'pin',
  'lock',
  'move',
  'thread',
  'ban',
  'unban',
  'note',
  'appeal',
] as const
export type DecisionAction = (typeof DECISION_ACTIONS)[number]

/** Many decisions at once, the taking back of many, and judging again what is pending. */
export const BATCH_KINDS = ['decide', 'undo', 'judge'] as const
export type BatchKind = (typeof BATCH_KINDS)[number]

/** What becomes of one comment of a batch. All but the first change nothing. */
export const OUTCOMES = [
  'changed',
  'unchanged',
  'decision_conflict',
  'not_found',
  'move_not_allowed',
] as const
export type Outcome = (typeof OUTCOMES)[number]

type LaterDecision = { readonly id: number; readonly undoes: number | null }

/**
 * Whether a decision is the last word on its comment, so that it can be taken back: nothing later stands
 * but what took later ones back. One that was taken back once is not, even if that was taken back too.
 * @param later all decisions of its kind on the comment that came after it, the last first
 */
export const isLatestStanding = (id: number, later: readonly LaterDecision[]): boolean => {
  const undone = new Set<number>()
  for (const one of later) {
    if (one.undoes === id) return false
    if (undone.has(one.id)) continue
    if (one.undoes === null || one.undoes < id) return false
    undone.add(one.undoes)
  }
  return true
}

/** So many comments are decided on within a request; more are left to a job. */
export const MAX_SYNC_DECISIONS = 500
