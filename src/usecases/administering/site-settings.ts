import { MAX_BODY_CODE_POINTS } from '../../domain/comment/text.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Check } from '../../domain/site/check.ts'
import type { PersonLimit, Site } from '../../domain/site/site.ts'
import type { SiteChange } from '../../postgres/service/sites.ts'

/** Settings to change. A limit that is null returns to the service's own; a missing secret stays. */
export type SiteSettings = Omit<SiteChange, 'limits' | 'signOn' | 'checks'> & {
  readonly limits?: Readonly<Partial<Record<PersonLimit, number | null>>>
  readonly signOn?: SignOnSettings | null
  readonly checks?: readonly CheckSettings[]
}

export type SignOnSettings = { readonly issuer: string; readonly maxTokenAge?: number } & (
  | { readonly hs256: readonly { kid: string; secret?: string }[] }
  | { readonly jwksUrl: string }
)

export type CheckSettings = WithoutSecret<Check> & { readonly secret?: string }

type WithoutSecret<T> = T extends unknown ? Omit<T, 'secret'> : never

type SettingsBefore = Pick<Site, 'limits' | 'signOn' | 'checks' | 'minBodyLength' | 'maxBodyLength'>

/** Fills in the limits and secrets that a change leaves out. */
export const resolveSettings = (
  { limits, signOn, checks, ...plain }: SiteSettings,
  before: SettingsBefore = NO_SETTINGS,
): SiteChange => {
  const { minBodyLength, maxBodyLength } = { ...before, ...plain }
  if (minBodyLength > maxBodyLength)
    throw new Refusal('invalid_request', {
      '/min_body_length': 'must not be greater than max_body_length',
    })
  return {
    ...plain,
    ...(limits && { limits: mergeLimits(before.limits, limits) }),
    ...(signOn !== undefined && { signOn: signOn && keepSignOnSecrets(signOn, before.signOn) }),
    ...(checks && { checks: keepCheckSecrets(checks, before.checks) }),
  }
}

/** The settings that a new site begins with. */
const NO_SETTINGS: SettingsBefore = {
  limits: {},
  signOn: null,
  checks: [],
  minBodyLength: 1,
  maxBodyLength: MAX_BODY_CODE_POINTS,
}

const mergeLimits = (before: Site['limits'], change: NonNullable<SiteSettings['limits']>) =>
  Object.fromEntries(
    Object.entries({ ...before, ...change }).filter(([, limit]) => limit !== null),
  ) as Site['limits']

const keepSignOnSecrets = (signOn: SignOnSettings, before: Site['signOn']): Site['signOn'] => {
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
  return { ...signOn, hs256 }
}

/**
 * A check keeps its secret only at the same address: an administrator who changes the address must not
 * have the old secret sent there.
 */
const keepCheckSecrets = (
  checks: readonly CheckSettings[],
  before: readonly Check[],
): readonly Check[] =>
  checks.map((check, i) => {
    const same = before.find(
      ({ name, kind, url }) => name === check.name && kind === check.kind && url === check.url,
    )
    const secret = check.secret ?? same?.secret
    if (secret !== undefined) return { ...check, secret }
    throw new Refusal('invalid_request', {
      [`/checks/${i}/secret`]: 'is required: no secret is known for this name and address',
    })
  })
