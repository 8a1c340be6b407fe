import type { PolicyInForce } from '../../cache/policies.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import { extendAttack } from '../../postgres/service/sites.ts'

/** It is held a little longer than it must be, so that not every post of an attack writes. */
const SPARE_MS = 10_000

/** Until when the site is to be held, because too much arrives; undefined: as long as it is already. */
export const floodHoldUntil = (
  { policy }: PolicyInForce,
  { at, arrivals, attackedUntil }: Facts,
): Instant | undefined => {
  const { mode, max, minutes } = policy.rules.site_flood
  if (mode !== 'enforce' || arrivals.site <= max) return undefined
  const needed = Date.parse(at) + minutes * 60_000
  if (attackedUntil !== null && Date.parse(attackedUntil) >= needed) return undefined
  return new Date(needed + SPARE_MS).toISOString()
}

/**
 * Holds everything on the site. Its row is the last of all that a writer waits for, after its thread;
 * who holds it waits for no thread.
 * @returns whether an attack begins with this
 */
export const startFloodHold = async (
  tx: Tx,
  { site, at, until }: { site: Site; at: Instant; until: Instant },
): Promise<boolean> => {
  const isNew = await extendAttack(tx, site.id, { at, until })
  if (!isNew) return false
  await insertAuditEntry(tx, {
    siteId: site.id,
    action: 'site_attacked',
    subject: site.slug,
    by: 'site_flood',
    after: { attacked_until: until },
  })
  return true
}
