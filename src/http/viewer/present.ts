import type { PublicIds } from '../../domain/public-id.ts'
import type { Viewer } from '../../usecases/reading/get-viewer.ts'
import { presentAuthor, presentWhole } from '../comments/present.ts'

export const presentViewer = (ids: PublicIds, viewer: Viewer) => {
  const { author, reason, mayPostAt, votes, pending } = viewer
  return {
    author: author ? presentAuthor(ids, author) : null,
    may_post: reason === undefined,
    reason: reason ?? null,
    may_post_at: mayPostAt ?? null,
    votes: Object.fromEntries(votes.map((vote) => [ids.writeComment(vote), vote.value])),
    pending: pending.map((comment) => presentWhole(ids, comment)),
  }
}
