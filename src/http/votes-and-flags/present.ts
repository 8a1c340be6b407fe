import { commentId } from '../../domain/public-id.ts'
import type { Flagged } from '../../usecases/voting/flag-comment.ts'
import type { Voted } from '../../usecases/voting/vote-comment.ts'

export const presentVoted = ({ comment, value, upvotes, downvotes }: Voted) => ({
  comment_id: commentId(comment),
  value,
  score: upvotes - downvotes,
  upvotes,
  downvotes,
})

/** What became of it is not for readers to know; its note is for moderators, and remembered nowhere else. */
export const presentFlag = ({ reason, flaggedAt }: Flagged) => ({
  reason,
  flagged_at: flaggedAt,
})
