import { isVisible } from '../../domain/comment/status.ts'
import type { Checking } from '../../domain/site/check.ts'
import { type Claim, updateAnswer } from '../../postgres/service/idempotency.ts'
import type { World } from '../context.ts'
import type { Settled } from './apply-check-results.ts'
import { type CheckRequest, checkComment } from './check-comment.ts'

/** A comment that has just been written, and its answer as it would be without the checks. */
export type Checkable<Answer> = {
  readonly checking: Checking
  readonly request: CheckRequest
  readonly claim: Claim | undefined
  readonly answer: Answer
  /** The answer once readers see it. */
  readonly present: (settled: Settled) => Answer
}

/**
 * Asks the checks of a comment that is stored already. Where they count, its author waits for them and
 * is told what has become of it, now and under the same Idempotency-Key; else they are asked after the
 * answer. Never rejects: what goes wrong is left to the chores, and the comment is held until then.
 */
export const checkWritten = async <Answer>(
  world: World,
  { checking, request, claim, answer, present }: Checkable<Answer>,
): Promise<Answer> => {
  if (checking === 'later') world.later.add(() => checkComment(world, request))
  if (checking !== 'first') return answer
  let final = answer
  const keep: Parameters<typeof checkComment>[2] = async (tx, settled) => {
    if (settled.version === undefined || !isVisible(settled.comment.status)) return
    final = present(settled)
    if (claim) await updateAnswer(tx, claim, final)
  }
  try {
    await checkComment(world, request, keep)
    return final
  } catch (error) {
    world.warn({ err: error }, 'a comment could not be judged by its checks; trying again later')
    return answer
  }
}
