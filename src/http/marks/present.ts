import { commentId, decisionId } from '../../domain/public-id.ts'
import type { MarkResult } from '../../usecases/decisions/marks.ts'

const presentMark = ({ comment, decision }: MarkResult) => ({
  comment_id: commentId(comment),
  decision_id: decision && decisionId(decision.id),
})

export const presentPin = (decided: MarkResult) => ({
  ...presentMark(decided),
  pinned: decided.is,
})

export const presentLock = (decided: MarkResult) => ({
  ...presentMark(decided),
  locked: decided.is,
})
