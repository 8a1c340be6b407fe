import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { PersonLimit, Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  updateSite as changeSite,
  lockSiteRow,
  type SiteChange,
} from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { type CheckSettings, keepCheckSecrets } from './check-settings.ts'

/** What is to be set. A limit that is null is as the service says; a secret that is missing stays. */
export type SiteSettings = Omit<SiteChange, 'limits' | 'signOn' | 'checks'> & {
  readonly limits?: Readonly<Partial<Record<PersonLimit, number | null>>>
  readonly signOn?: SignOnSettings | null
  readonly checks?: readonly CheckSettings[]
}

export type SignOnSettings =
  | { readonly issuer: string; readonly hs256: readonly { kid: string; secret?: string }[] }
  | { readonly issuer: string; readonly jwksUrl: string }

type UpdateRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly settings: SiteSettings
  /** The version that the administrator has seen, if it says so. */
  readonly ifVersion: number | undefined
  readonly claim: IdempotencyKey | undefined
}

/** What of a site may be told and recorded. */
export type DescribeSite = (site: Site) => Readonly<Record<string, unknown>>

/** Changes a site's settings. Other nodes know of it within a second; writes there at once. */
export const updateSite = async <Answer>(
  context: Context,
  request: UpdateRequest,
  { present, describe }: { present: (site: Site) => Answer; describe: DescribeSite },
): Promise<Answer> => {
  const answer = await runOnce(context, request.claim, async (tx) =>
    present(await update(tx, request, describe)),
  )
  context.sites.forget(request.site.slug)
  return answer
}

const update = async (
  tx: Tx,
  { site, administrator, settings, ifVersion }: UpdateRequest,
  describe: DescribeSite,
): Promise<Site> => {
  const before = await lockSiteRow(tx, site.id)
  if (ifVersion !== undefined && ifVersion !== before.version) throw new Refusal('edit_conflict')
  const after = await changeSite(tx, site.id, resolveSettings(settings, before))
  await insertAuditEntry(tx, {
    siteId: site.id,
    action: 'site_updated',
    subject: site.slug,
    by: callerIdOf(administrator),
    ...differenceOf(describe(before), describe(after)),
  })
  return after
}

/** Fills in what a change leaves as it is within limits and secrets. */
export const resolveSettings = (
  { limits, signOn, checks, ...plain }: SiteSettings,
  before: Pick<Site, 'limits' | 'signOn' | 'checks'>,
): SiteChange => ({
  ...plain,
  ...(limits && { limits: mergeLimits(before.limits, limits) }),
  ...(signOn !== undefined && { signOn: signOn && keepSecrets(signOn, before.signOn) }),
  ...(checks && { checks: keepCheckSecrets(checks, before.checks) }),
})

const mergeLimits = (before: Site['limits'], change: NonNullable<SiteSettings['limits']>) =>
  Object.fromEntries(
    Object.entries({ ...before, ...change }).filter(([, limit]) => limit !== null),
  ) as Site['limits']

const keepSecrets = (signOn: SignOnSettings, before: Site['signOn']): Site['signOn'] => {
  if ('jwksUrl' in signOn) return signOn
  const known = new Map(
    before && 'hs256' in before ? before.hs256.map(({ kid, secret }) => [kid, secret]) : [],
  )
  const hs256 = signOn.hs256.map(({ kid, secret = known.get(kid) }, i) => {
    if (secret !== undefined) return { kid, secret }
    throw new Refusal('invalid_request', {
      [`/sign_on/hs256/${i}/secret`]: 'is required: no secret is known under this kid',
    })
  })
  return { issuer: signOn.issuer, hs256 }
}

type Description = ReturnType<DescribeSite>

const differenceOf = (before: Description, after: Description) => {
  const names = Object.keys(after).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
  const pick = (from: Description) => Object.fromEntries(names.map((name) => [name, from[name]]))
  return { before: pick(before), after: pick(after) }
}
