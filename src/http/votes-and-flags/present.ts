import type { PublicIds } from '../../domain/public-id.ts'
import type { Flagged } from '../../usecases/voting/flag-comment.ts'
import type { Voted } from '../../usecases/voting/vote-comment.ts'

export const presentVoted = (ids: PublicIds, { comment, value, upvotes, downvotes }: Voted) => ({
  comment_id: ids.writeComment(comment),
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
