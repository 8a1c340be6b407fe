import type { OwnAppeal, Statement } from '../../domain/moderation/statement.ts'
import type { CommentKey, PublicIds } from '../../domain/public-id.ts'
import type { ModeratedAppeal } from '../../usecases/appeals/appeals.ts'
import { presentDecision } from '../decisions/present.ts'
import { presentForModeration } from '../queue/present.ts'
import { presentDoer } from '../wire/stored-ids.ts'

/** An appeal without its text: a stored response would keep the text for a day after an erasure. */
export const presentAppealState = (ids: PublicIds, appeal: OwnAppeal) => ({
  id: ids.write('appeal', appeal.id),
  appealed_at: appeal.at,
  outcome: appeal.outcome,
  note: appeal.note,
  answered_at: appeal.answeredAt,
})

/** An appeal for its author, without the name of the moderator who answered it. */
const presentAppeal = (ids: PublicIds, appeal: OwnAppeal) => ({
  ...presentAppealState(ids, appeal),
  text: appeal.text,
})

export const presentStatement = (ids: PublicIds, comment: CommentKey, statement: Statement) => ({
  comment_id: ids.writeComment(comment),
  status: statement.standing,
  decided_by: statement.decidedBy,
  ground: { reason: statement.reason, rules: [...statement.rules] },
  decided_at: statement.decidedAt,
  appeal: statement.appeal && presentAppeal(ids, statement.appeal),
  may_appeal: statement.mayAppeal,
})

export const presentModeratedAppeal = (ids: PublicIds, appeal: ModeratedAppeal) => ({
  ...presentAppeal(ids, appeal),
  author_id: ids.write('author', appeal.authorId),
  comment: presentForModeration(ids, appeal.about),
  decision: appeal.decision && presentDecision(ids, appeal.decision),
  answered_by: appeal.answeredBy && presentDoer(ids, appeal.answeredBy),
})
