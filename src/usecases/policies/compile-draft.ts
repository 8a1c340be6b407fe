import { setImmediate as turn } from 'node:timers/promises'
import { Refusal } from '../../domain/refusal.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import type { PreparedPolicy } from '../../domain/screening/prepared-policy.ts'
import { longestOf } from '../../domain/screening/words/packed.ts'
import type { Context } from '../context.ts'

/** A compiled policy takes at most half of the memory for all compiled policies. */
const MAX_BYTES = 67_108_864
/** Judging a comment tries every one of these wherever the shared words occur. */
const MAX_ALIKE = 100

const WORDS = '/policy/rules/words'

/**
 * Compiles a validated policy, in a worker thread if it is long.
 * @throws `invalid_request` if it takes too much memory, or too much time to judge by
 */
export const compileDraft = async (context: Context, policy: Policy): Promise<PreparedPolicy> => {
  // The caller has just validated the policy; other requests get the processor before the next step.
  await turn()
  const draft = await context.policies.prepareDraft(JSON.stringify(policy))
  if (draft.bytes > MAX_BYTES)
    throw new Refusal('invalid_request', {
      [WORDS]: 'must be shorter: the lists take too much memory',
    })
  const { words } = draft.rules.words
  const alike = words ? [words.signedEntriesOf, words.pieces.ofString].map(longestOf) : []
  if (Math.max(...alike, 0) > MAX_ALIKE)
    throw new Refusal('invalid_request', {
      [WORDS]: `must have at most ${MAX_ALIKE} entries with the same words between other signs or *`,
    })
  return draft
}
