import type { Met, Suspect } from '../../domain/ban.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import { findBansOn } from '../../postgres/bans.ts'
import type { Db } from '../../postgres/connection/db.ts'

/** What bans leave to somebody who writes: refuses with `banned` who may not, else what the rules are told. */
export const assertNotBlocked = (met: readonly Met[]): Facts['bans'] => {
  if (met.some(({ effect }) => effect === 'block')) throw new Refusal('banned')
  return met.flatMap(({ id, effect }) => (effect === 'block' ? [] : [{ id, effect }]))
}

/** The same for one, who is looked up. */
export const findEffects = async (
  db: Db,
  siteId: number,
  suspect: Suspect | undefined,
): Promise<Facts['bans']> => {
  const [met = []] = await findBansOn(db, siteId, [suspect])
  return assertNotBlocked(met)
}
