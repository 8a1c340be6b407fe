import { Refusal } from '../refusal.ts'

export const STATUSES = ['pending', 'approved', 'spam', 'rejected', 'deleted'] as const
export type Status = (typeof STATUSES)[number]

/** Reasons that a moderator can give for a decision. */
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

const TRANSITIONS: Record<Status, readonly Status[]> = {
  pending: ['approved', 'spam', 'rejected', 'deleted'],
  approved: ['pending', 'spam', 'rejected', 'deleted'],
  spam: ['pending', 'approved', 'rejected', 'deleted'],
  rejected: ['pending', 'approved', 'spam', 'deleted'],
  deleted: ['pending', 'approved'],
}

/** The only definition of which comments readers can read. A tombstone is shown but not read: see `isShown`. */
export const isVisible = (status: Status): boolean => status === 'approved'

/**
 * Whether readers can read a comment. An erased author's comments are unreadable from the erasure on, although
 * their status changes later, in batches.
 */
export const isReadable = (comment: { status: Status; isErased: boolean }): boolean =>
  isVisible(comment.status) && !comment.isErased

/** Whether a comment keeps its place in the tree: readers can read it, or it has shown replies. */
export const isShown = (comment: { status: Status; replyCount: number }): boolean =>
  isVisible(comment.status) || comment.replyCount > 0

export const isTransitionAllowed = (from: Status, to: Status): boolean =>
  TRANSITIONS[from].includes(to)

/** Refuses an equal status with `invalid_request` and a forbidden transition with `move_not_allowed`. */
export const assertTransition = (from: Status, to: Status): void => {
  if (from === to) throw new Refusal('invalid_request', { to: 'must differ from "from"' })
  if (!isTransitionAllowed(from, to)) throw new Refusal('move_not_allowed')
}
