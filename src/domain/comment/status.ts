import { Refusal } from '../refusal.ts'

export const STATUSES = ['pending', 'approved', 'spam', 'rejected', 'deleted'] as const
export type Status = (typeof STATUSES)[number]

/** Why a moderator decided so. */
export const REASONS = [
  'spam',
  'offensive',
  'abusive',
  'off_topic',
  'illegal',
  'duplicate',
  'other',
] as const
export type Reason = (typeof REASONS)[number]

const MOVES: Record<Status, readonly Status[]> = {
  pending: ['approved', 'spam', 'rejected', 'deleted'],
  approved: ['pending', 'spam', 'rejected', 'deleted'],
  spam: ['pending', 'approved', 'rejected', 'deleted'],
  rejected: ['pending', 'approved', 'spam', 'deleted'],
  deleted: ['pending', 'approved'],
}

/** The one definition of what a reader may read. A tombstone is shown, but not read: see `isShown`. */
export const isVisible = (status: Status): boolean => status === 'approved'

/** Keeps its place in the tree: readable itself, or with something shown below it. */
export const isShown = (comment: { status: Status; replyCount: number }): boolean =>
  isVisible(comment.status) || comment.replyCount > 0

/** Whether a comment with the one status can get the other. */
export const isTransitionAllowed = (from: Status, to: Status): boolean => MOVES[from].includes(to)

/** Refuses with `invalid_request` when nothing would move, and with `move_not_allowed`. */
export const assertTransition = (from: Status, to: Status): void => {
  if (from === to) throw new Refusal('invalid_request', { to: 'must differ from "from"' })
  if (!isTransitionAllowed(from, to)) throw new Refusal('move_not_allowed')
}
