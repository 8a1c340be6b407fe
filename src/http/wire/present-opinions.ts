import { commentId } from '../../domain/public-id.ts'
import type { Viewer } from '../../usecases/reading/get-viewer.ts'
import type { Flagged } from '../../usecases/writing/flag-comment.ts'
import type { Voted } from '../../usecases/writing/vote-comment.ts'
import { presentAuthor, presentWhole } from './present.ts'

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

export const presentViewer = ({ author, reason, threadId = 0, votes, pending }: Viewer) => ({
  author: author ? presentAuthor(author) : null,
  may_post: reason === undefined,
  reason: reason ?? null,
  votes: Object.fromEntries([...votes].map(([id, value]) => [commentId({ threadId, id }), value])),
  pending: pending.map(presentWhole),
})
