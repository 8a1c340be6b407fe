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

/** The response hides the moderators' decision and the note, which only the flag itself stores. */
export const presentFlag = ({ reason, flaggedAt }: Flagged) => ({
  reason,
  flagged_at: flaggedAt,
})
