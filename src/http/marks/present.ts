import type { PublicIds } from '../../domain/public-id.ts'
import type { MarkResult } from '../../usecases/decisions/marks.ts'

const presentMark = (ids: PublicIds, { comment, decision }: MarkResult) => ({
  comment_id: ids.writeComment(comment),
  decision_id: decision && ids.write('decision', decision.id),
})

export const presentPin = (ids: PublicIds, decided: MarkResult) => ({
  ...presentMark(ids, decided),
  pinned: decided.is,
})

export const presentLock = (ids: PublicIds, decided: MarkResult) => ({
  ...presentMark(ids, decided),
  locked: decided.is,
})
