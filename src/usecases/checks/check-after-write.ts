import { isVisible } from '../../domain/comment/status.ts'
import type { CheckTiming } from '../../domain/screening/check-facts.ts'
import { type IdempotencyKey, updateAnswer } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import type { AppliedResults } from './apply-check-results.ts'
import { type CheckRequest, checkComment } from './check-comment.ts'

/** A comment that was stored, and its response without the answers of its checks. */
export type WrittenComment<Answer> = {
  readonly checking: CheckTiming
  readonly request: CheckRequest
  readonly idempotencyKey: IdempotencyKey | undefined
  readonly answer: Answer
  /** Builds the response once the checks have published the comment. */
  readonly present: (settled: AppliedResults) => Answer
}

/**
 * Asks the checks of a stored comment. If their answers decide whether it is published, the author waits
 * for them, and the response and its repetition under the same Idempotency-Key show the result. Otherwise
 * the checks are asked after the response. Never rejects: after an error a job asks the checks again, and
 * the comment is held until then.
 */
export const checkAfterWrite = async <Answer>(
  context: Context,
  { checking, request, idempotencyKey, answer, present }: WrittenComment<Answer>,
): Promise<Answer> => {
  if (checking === 'later') context.deferredTasks.add(() => checkComment(context, request))
  if (checking !== 'first') return answer
  let final = answer
  const keep: Parameters<typeof checkComment>[2] = async (tx, settled) => {
    if (settled.version === undefined || !isVisible(settled.comment.status)) return
    final = present(settled)
    if (idempotencyKey) await updateAnswer(tx, idempotencyKey, final)
  }
  try {
    await checkComment(context, request, keep)
    return final
  } catch (error) {
    context.warn({ err: error }, 'a comment could not be judged by its checks; trying again later')
    return answer
  }
}
