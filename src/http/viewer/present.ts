import { commentId } from '../../domain/public-id.ts'
import type { Viewer } from '../../usecases/reading/get-viewer.ts'
import { presentAuthor, presentWhole } from '../comments/present.ts'

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
