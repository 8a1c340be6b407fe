import { MAX_NAME_CODE_POINTS } from '../../domain/comment/text.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { DEFAULT_TOKEN_AGE } from '../../domain/people/sign-on.ts'
import type { Check } from '../../domain/site/check.ts'
import { PERSON_LIMITS, type Site } from '../../domain/site/site.ts'
import { type Limits, limitOf } from '../edge/limits.ts'
import { hashOf } from '../edge/responses.ts'

const presentSignOn = ({ signOn }: Site) => {
  if (!signOn) return null
  const common = { issuer: signOn.issuer, max_token_age: signOn.maxTokenAge ?? DEFAULT_TOKEN_AGE }
  if ('jwksUrl' in signOn) return { ...common, jwks_url: signOn.jwksUrl }
  return { ...common, hs256: signOn.hs256.map(({ kid }) => ({ kid })) }
}

const presentCheck = (check: Check) => ({
  name: check.name,
  kind: check.kind,
  url: check.url,
  timeout_ms: check.timeoutMs,
  ...(check.kind === 'akismet' && { site_url: check.siteUrl, is_test: check.isTest }),
})

const presentRules = (site: Site) => ({
  state: site.state,
  who_may_read: site.reading,
  voting: site.voting,
  email_required: site.emailRequired,
  min_body_length: site.minBodyLength,
  max_body_length: site.maxBodyLength,
  language: site.language,
})

/** A site as administrators see it, without its secrets. */
export const presentSite = (site: Site) => ({
  slug: site.slug,
  former_slug: site.formerSlug,
  former_slug_until: site.formerSlugUntil,
  name: site.name,
  origins: [...site.origins],
  reserved_names: [...site.reservedNames],
  article_ids: site.articleIds,
  moderation: site.moderation,
  who_may_post: site.posting,
  ...presentRules(site),
  login_url: site.loginUrl,
  edit_window_seconds: site.editWindowSeconds,
  max_depth: site.maxDepth,
  limits: { ...site.limits },
  sorts: [...site.sorts],
  retention_days: site.retentionDays,
  flag_threshold: site.flagThreshold,
  close_after_days: site.closeAfterDays,
  slow_mode_seconds: site.slowModeSeconds,
  sign_on: presentSignOn(site),
  checks: site.checks.map(presentCheck),
  version: site.version,
  created_at: site.createdAt,
})

/** The settings that a widget needs before it renders, and a version that changes with them. */
export const presentSiteConfig = (site: Site, limits: Limits) => {
  const settings = presentSettings(site, limits)
  return { ...settings, version: hashOf(JSON.stringify(settings)).slice(0, VERSION_LENGTH) }
}

const VERSION_LENGTH = 12

const presentSettings = (site: Site, limits: Limits) => ({
  site: site.slug,
  name: site.name,
  moderation: site.moderation,
  who_may_post: site.posting,
  ...presentRules(site),
  login_url: site.loginUrl,
  edit_window_seconds: site.editWindowSeconds,
  close_after_days: site.closeAfterDays,
  slow_mode_seconds: site.slowModeSeconds,
  max_depth: site.maxDepth,
  max_name_length: MAX_NAME_CODE_POINTS,
  limits: Object.fromEntries(PERSON_LIMITS.map((kind) => [kind, limitOf(limits, site, kind)])),
  flag_reasons: FLAG_REASONS,
  sorts: [...site.sorts],
  default_sort: site.sorts[0],
})
