import { type Validated, validateUrl } from '../../domain/comment/text.ts'
import type { CheckSettings } from '../../usecases/administering/site-settings.ts'
import type { CheckFields } from './schemas.ts'

const AKISMET_URL = 'https://rest.akismet.com/1.1'
const TIMEOUT_MS = 1_500

type Read = <T>(pointer: string, checked: Validated<T>) => T

export const readChecks = (read: Read, checks: readonly CheckFields[]): CheckSettings[] => {
  const names = new Set(checks.map(({ name }) => name))
  if (names.size < checks.length)
    read('/checks', { ok: false, problem: 'must not give a name twice' })
  return checks.map((check, i) => readCheck(read, check, `/checks/${i}`))
}

const readCheck = (read: Read, check: CheckFields, at: string): CheckSettings => {
  const { name, secret, timeout_ms: timeoutMs = TIMEOUT_MS } = check
  const plain = { name, timeoutMs, ...(secret !== undefined && { secret }) }
  const url = (text: string) => read(`${at}/url`, validateHttpsUrl(text))
  if (check.kind === 'http') return { ...plain, kind: 'http', url: url(check.url) }
  return {
    ...plain,
    kind: 'akismet',
    url: url(check.url ?? AKISMET_URL),
    siteUrl: read(`${at}/site_url`, validateUrl(check.site_url)),
    isTest: check.is_test ?? false,
  }
}

/** Validates an address that the service itself requests. */
export const validateHttpsUrl = (text: string): Validated<string> => {
  const url = validateUrl(text)
  if (!url.ok || url.value.startsWith('https://')) return url
  return { ok: false, problem: 'must be an https URL' }
}
