import { batchId, commentId, decisionId } from '../../domain/public-id.ts'
import type { Decision } from '../../usecases/queue/moderation-log.ts'

export const presentDecision = (decision: Decision) => ({
  id: decisionId(decision.id),
  action: decision.action,
  comment_id:
    decision.threadId === null || decision.commentId === null
      ? null
      : commentId({ threadId: decision.threadId, id: decision.commentId }),
  subject: decision.subject,
  from: decision.from,
  to: decision.to,
  before: decision.before,
  after: decision.after,
  reason: decision.reason,
  note: decision.note,
  by: decision.by,
  at: decision.at,
  caused_by: nameIfAny(decisionId, decision.causedBy),
  batch_id: nameIfAny(batchId, decision.batchId),
  undoes: nameIfAny(decisionId, decision.undoes),
  undone_by: nameIfAny(decisionId, decision.undoneBy),
  policy_version: decision.policyVersion,
})

const nameIfAny = (name: (id: number) => string, id: number | null): string | null =>
  id === null ? null : name(id)
