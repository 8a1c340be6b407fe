/** Kinds of decisions. Each decision is one row of the moderation log. */
export const DECISION_ACTIONS = [
  'status',
  'edit',
  'pin',
  'lock',
  'move',
  'thread',
  'ban',
  'unban',
  'ban_update',
  'note',
  'appeal',
  'redact',
] as const
export type DecisionAction = (typeof DECISION_ACTIONS)[number]

/** Decisions on many comments, many undos, judging held comments again, decisions on many threads, or a merge. */
export const BATCH_KINDS = ['decide', 'undo', 'judge', 'decide_threads', 'merge', 'remap'] as const
export type BatchKind = (typeof BATCH_KINDS)[number]

/** The result for one comment or thread of a batch. Only `changed` changes it. */
export const OUTCOMES = [
  'changed',
  'unchanged',
  'decision_conflict',
  'changed_since',
  'not_found',
  'move_not_allowed',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** A decision after another one of its kind on the same subject. */
export type LaterDecision = { readonly id: number; readonly undoes: number | null }

/**
 * Whether a decision is the latest on its subject that still stands, so that it can be undone: every later
 * decision was undone. A decision that was undone once cannot be undone again, even if its undo was undone.
 * Undos of statuses, marks, moves, merges, threads and bans all ask this.
 * @param later all later decisions of its kind on the comment, thread or ban, latest first
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

/** A request decides on at most this many comments; a job decides on more. */
export const MAX_SYNC_DECISIONS = 500

/** The longest claim of a moderator on a comment. */
export const MAX_CLAIM_SECONDS = 3_600

type Values = Readonly<Record<string, unknown>>

/** The values that differ, before and after a change. */
export const differenceOf = (before: Values, after: Values): { before: Values; after: Values } => {
  const names = Object.keys(after).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
  const pick = (from: Values) => Object.fromEntries(names.map((name) => [name, from[name]]))
  return { before: pick(before), after: pick(after) }
}
