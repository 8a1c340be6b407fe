import type { PublicIds } from '../../domain/public-id.ts'
import type { Decided, Viewer } from '../../usecases/reading/get-viewer.ts'
import { presentAuthor, presentOwn } from '../comments/present.ts'
import { now } from '../edge/responses.ts'

export const presentViewer = (ids: PublicIds, viewer: Viewer) => {
  const { author, reason, mayPostAt, votes, pending, editable, decided } = viewer
  return {
    author: author ? presentAuthor(ids, author) : null,
    may_post: reason === undefined,
    reason: reason ?? null,
    may_post_at: mayPostAt ?? null,
    votes: Object.fromEntries(votes.map((vote) => [ids.writeComment(vote), vote.value])),
    pending: pending.map((comment) => presentOwn(ids, comment, comment.editableUntil)),
    editable: Object.fromEntries(editable.map((one) => [ids.writeComment(one), one.until])),
    decided: decided.map((one) => presentDecided(ids, one)),
    now: now(),
  }
}

/** The note is the answer to the author: a decision's own note is for moderators. */
const presentDecided = (ids: PublicIds, { comment, statement }: Decided) => ({
  id: ids.writeComment(comment),
  status: statement.standing,
  decision: {
    by: statement.decidedBy,
    reason: statement.reason,
    note: statement.appeal?.note ?? null,
    at: statement.decidedAt!,
  },
  may_appeal: statement.mayAppeal,
})
