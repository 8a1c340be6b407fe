import type { PolicyInForce } from '../../cache/policies.ts'
import type { Judgement } from '../../domain/screening/compile-policy.ts'
import type { Draft, Facts } from '../../domain/screening/facts.ts'
import { combine } from '../../domain/screening/finding.ts'

export type PolicyResult = {
  readonly judgement: Judgement
  readonly facts: Facts
  /** Whether the comment looks published to its author while other readers do not see it. */
  readonly isShadowed: boolean
}

/**
 * Judges a comment by the policy and by the shadow bans among its facts. A shadow ban shadows only a
 * comment that readers would see. A comment that is held without the ban is held as anybody's is, so
 * that its author cannot tell the ban from what it lets through.
 * @param mayBeSeen whether readers would see the comment if the policy approves it
 */
export const judgeByPolicy = (
  policy: PolicyInForce,
  { draft, facts, mayBeSeen }: { draft: Draft; facts: Facts; mayBeSeen: boolean },
): PolicyResult => {
  const judgement = policy.judge(draft, facts)
  if (!facts.bans.some(({ effect }) => effect === 'shadow'))
    return { judgement, facts, isShadowed: false }
  const verdictWithoutBans = combine(judgement.trace.filter(({ rule }) => rule !== 'ban'))
  if (mayBeSeen && verdictWithoutBans === 'approved') return { judgement, facts, isShadowed: true }
  const bans = facts.bans.map(({ id }) => ({ id, effect: 'hold' as const }))
  const heldFacts = { ...facts, bans }
  return { judgement: policy.judge(draft, heldFacts), facts: heldFacts, isShadowed: false }
}
