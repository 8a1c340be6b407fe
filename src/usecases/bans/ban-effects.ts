import type { BanMatch, WriterIdentity } from '../../domain/moderation/ban.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'

/** Refuses with `banned` if one of the bans blocks. @returns the bans that hold or shadow */
export const assertNotBlocked = (matches: readonly BanMatch[]): Facts['bans'] => {
  if (matches.some(({ effect }) => effect === 'block')) throw new Refusal('banned')
  return matches.flatMap(({ id, effect }) => (effect === 'block' ? [] : [{ id, effect }]))
}

/** Loads the bans that match one writer; refuses with `banned` if one blocks. */
export const findBanEffects = async (
  db: Db,
  siteId: number,
  writer: WriterIdentity | undefined,
): Promise<Facts['bans']> => {
  const [matches = []] = await findBansOn(db, siteId, [writer])
  return assertNotBlocked(matches)
}
