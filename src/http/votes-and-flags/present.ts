import { commentId } from '../../domain/public-id.ts'
import type { Viewer } from '../../usecases/reading/get-viewer.ts'
import type { Flagged } from '../../usecases/voting/flag-comment.ts'
import type { Voted } from '../../usecases/voting/vote-comment.ts'
import { presentAuthor, presentWhole } from '../comments/present.ts'

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

export const presentViewer = (viewer: Viewer) => {
  const { author, reason, mayPostAt, votes, pending } = viewer
  return {
    author: author ? presentAuthor(author) : null,
    may_post: reason === undefined,
    reason: reason ?? null,
    may_post_at: mayPostAt ?? null,
    votes: Object.fromEntries(votes.map((vote) => [commentId(vote), vote.value])),
    pending: pending.map(presentWhole),
  }
}
