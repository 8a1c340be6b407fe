import type { OwnAppeal, Statement } from '../../domain/moderation/statement.ts'
import { appealId, authorId, type CommentKey, commentId } from '../../domain/public-id.ts'
import type { ModeratedAppeal } from '../../usecases/appeals/appeals.ts'
import { presentDecision } from '../decisions/present.ts'
import { presentForModeration } from '../queue/present.ts'

/** An appeal without its text: a stored response would keep the text for a day after an erasure. */
export const presentAppealState = (appeal: OwnAppeal) => ({
  id: appealId(appeal.id),
  appealed_at: appeal.at,
  outcome: appeal.outcome,
  note: appeal.note,
  answered_at: appeal.answeredAt,
})

/** An appeal for its author, without the name of the moderator who answered it. */
const presentAppeal = (appeal: OwnAppeal) => ({ ...presentAppealState(appeal), text: appeal.text })

export const presentStatement = (comment: CommentKey, statement: Statement) => ({
  comment_id: commentId(comment),
  status: statement.standing,
  decided_by: statement.decidedBy,
  ground: { reason: statement.reason, rules: [...statement.rules] },
  decided_at: statement.decidedAt,
  appeal: statement.appeal && presentAppeal(statement.appeal),
  may_appeal: statement.mayAppeal,
})

export const presentModeratedAppeal = (appeal: ModeratedAppeal) => ({
  ...presentAppeal(appeal),
  author_id: authorId(appeal.authorId),
  comment: presentForModeration(appeal.about),
  decision: appeal.decision && presentDecision(appeal.decision),
  answered_by: appeal.answeredBy,
})
