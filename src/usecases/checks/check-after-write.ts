import { isVisible } from '../../domain/comment/status.ts'
import type { CheckTiming } from '../../domain/screening/check-facts.ts'
import { type IdempotencyKey, updateAnswer } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import type { AppliedResults } from './apply-check-results.ts'
import { type CheckRequest, checkComment } from './check-comment.ts'

/** A comment that has just been written, and its answer as it would be without the checks. */
export type WrittenComment<Answer> = {
  readonly checking: CheckTiming
  readonly request: CheckRequest
  readonly claim: IdempotencyKey | undefined
  readonly answer: Answer
  /** The answer once readers see it. */
  readonly present: (settled: AppliedResults) => Answer
}

/**
 * Asks the checks of a comment that is stored already. Where they count, its author waits for them and
 * is told what has become of it, now and under the same Idempotency-Key; else they are asked after the
 * answer. Never rejects: what goes wrong is left to the jobs, and the comment is held until then.
 */
export const checkAfterWrite = async <Answer>(
  context: Context,
  { checking, request, claim, answer, present }: WrittenComment<Answer>,
): Promise<Answer> => {
  if (checking === 'later') context.deferredTasks.add(() => checkComment(context, request))
  if (checking !== 'first') return answer
  let final = answer
  const keep: Parameters<typeof checkComment>[2] = async (tx, settled) => {
    if (settled.version === undefined || !isVisible(settled.comment.status)) return
    final = present(settled)
    if (claim) await updateAnswer(tx, claim, final)
  }
  try {
    await checkComment(context, request, keep)
    return final
  } catch (error) {
    context.warn({ err: error }, 'a comment could not be judged by its checks; trying again later')
    return answer
  }
}
