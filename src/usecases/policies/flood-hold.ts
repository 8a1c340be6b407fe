import type { PolicyInForce } from '../../cache/policies.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import { extendFloodHold, findModerationState } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'

/** A flood hold lasts this much longer than the policy asks, so that not every post of a flood extends it. */
const SPARE_MS = 10_000

/** Until when a flood hold must last after this comment; undefined if the current one, or none, suffices. */
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
 * Starts or extends a flood hold. A writer locks the site's row last, after its thread, and so waits for
 * no thread while it has that lock.
 * @returns whether the hold is new
 */
export const startFloodHold = async (
  tx: Tx,
  { site, at, until }: { site: Site; at: Instant; until: Instant },
): Promise<boolean> => {
  const isNew = await extendFloodHold(tx, site.id, { at, until })
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

export type ModerationState = {
  readonly policyVersion: number
  /** The flood hold; null if there is none. */
  readonly attack: { readonly since: Instant; readonly until: Instant } | null
}

/** The policy version in force, and the flood hold if there is one. */
export const getModerationState = async (
  context: Context,
  siteId: number,
): Promise<ModerationState> => {
  const found = await runQuery(findModerationState(context.db, siteId))
  const { policyVersion, since, until } = found
  return { policyVersion, attack: since === null || until === null ? null : { since, until } }
}
