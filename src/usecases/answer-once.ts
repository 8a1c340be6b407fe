import { Refusal } from '../domain/refusal.ts'
import type { Tx } from '../postgres/connection/db.ts'
import { inTransaction } from '../postgres/connection/transaction.ts'
import { type Claim, findAnswer, insertAnswer, tryClaim } from '../postgres/idempotency.ts'
import type { World } from './world.ts'

/**
 * One effect per Idempotency-Key: the effect and its answer are committed together, so a repeated
 * request finds both or neither. What was refused had no effect and is not remembered.
 */
export const answerOnce = <Answer>(
  world: World,
  claim: Claim | undefined,
  act: (tx: Tx) => Promise<Answer>,
): Promise<Answer> =>
  inTransaction(world.writes, async (tx) => {
    if (!claim) return act(tx)
    if (!(await tryClaim(tx, claim))) throw new Refusal('idempotency_in_flight')
    const earlier = await findAnswer(tx, claim)
    if (!earlier) {
      const answer = await act(tx)
      await insertAnswer(tx, claim, answer)
      return answer
    }
    if (!earlier.bodyHash.equals(claim.bodyHash)) throw new Refusal('idempotency_key_reused')
    return earlier.answer as Answer
  })
