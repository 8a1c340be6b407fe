/** What moderators do. `status` is the common one; each act is one row of the audit trail. */
export const DECISION_ACTIONS = [
  'status',
  'pin',
  'lock',
  'move',
  'thread',
  'ban',
  'unban',
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

/** So many comments are decided on within a request; more are left to a chore. */
export const MAX_AT_ONCE = 500
