import type { IdKind, PublicIds } from '../../domain/public-id.ts'
import type { Decision } from '../../usecases/queue/moderation-log.ts'
import { presentChanged, presentDoer, presentSubject } from '../wire/stored-ids.ts'

export const presentDecision = (ids: PublicIds, decision: Decision) => ({
  id: ids.write('decision', decision.id),
  action: decision.action,
  comment_id:
    decision.threadId === null || decision.commentId === null
      ? null
      : ids.writeComment({ threadId: decision.threadId, id: decision.commentId }),
  author_id: writeIfAny(ids, 'author', decision.authorId),
  subject: presentSubject(ids, decision),
  from: decision.from,
  to: decision.to,
  before: presentChanged(ids, decision.before),
  after: presentChanged(ids, decision.after),
  reason: decision.reason,
  note: decision.note,
  by: presentDoer(ids, decision.by),
  asked_by: decision.askedBy && presentDoer(ids, decision.askedBy),
  at: decision.at,
  caused_by: writeIfAny(ids, 'decision', decision.causedBy),
  batch_id: writeIfAny(ids, 'batch', decision.batchId),
  undoes: writeIfAny(ids, 'decision', decision.undoes),
  undone_by: writeIfAny(ids, 'decision', decision.undoneBy),
  policy_version: decision.policyVersion,
})

const writeIfAny = (ids: PublicIds, kind: IdKind, id: number | null): string | null =>
  id === null ? null : ids.write(kind, id)
