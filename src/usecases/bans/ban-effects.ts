import type { PolicyInForce } from '../../cache/policies.ts'
import type { BanMatch, WriterIdentity } from '../../domain/moderation/ban.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Judgement } from '../../domain/screening/compile-policy.ts'
import type { Draft, Facts } from '../../domain/screening/facts.ts'
import { combine } from '../../domain/screening/finding.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'

/** What bans leave to somebody who writes: refuses with `banned` who may not, else what the rules are told. */
export const assertNotBlocked = (met: readonly BanMatch[]): Facts['bans'] => {
  if (met.some(({ effect }) => effect === 'block')) throw new Refusal('banned')
  return met.flatMap(({ id, effect }) => (effect === 'block' ? [] : [{ id, effect }]))
}

/** The same for one, who is looked up. */
export const findEffects = async (
  db: Db,
  siteId: number,
  suspect: WriterIdentity | undefined,
): Promise<Facts['bans']> => {
  const [met = []] = await findBansOn(db, siteId, [suspect])
  return assertNotBlocked(met)
}

export type PolicyResult = {
  readonly judgement: Judgement
  readonly facts: Facts
  /** Its author sees it as published, and nobody else sees it. */
  readonly isShadowed: boolean
}

/**
 * What the policy says. A shadow is for what readers would see; what would be held in any case, or is held
 * already, is held as anybody's is, so that a shadow cannot be told by what it lets through.
 * @param isSeen that it is to be seen if nothing speaks against it
 */
export const judgeByPolicy = (
  policy: PolicyInForce,
  { draft, facts, isSeen }: { draft: Draft; facts: Facts; isSeen: boolean },
): PolicyResult => {
  const judgement = policy.screen(draft, facts)
  if (!facts.bans.some(({ effect }) => effect === 'shadow'))
    return { judgement, facts, isShadowed: false }
  const rest = combine(judgement.trace.filter(({ rule }) => rule !== 'ban'))
  if (isSeen && rest === 'approved') return { judgement, facts, isShadowed: true }
  const bans = facts.bans.map(({ id }) => ({ id, effect: 'hold' as const }))
  const held = { ...facts, bans }
  return { judgement: policy.screen(draft, held), facts: held, isShadowed: false }
}
