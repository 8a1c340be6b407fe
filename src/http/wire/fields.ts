import {
  type Validated,
  validateBody,
  validateEmail,
  validateName,
  validateTitle,
  validateUrl,
} from '../../domain/comment/text.ts'
import { type Instant, instantOf } from '../../domain/instant.ts'
import { type FieldErrors, Refusal } from '../../domain/refusal.ts'
import { readChecks, validateHttpsUrl } from '../checks/fields.ts'
import type { CheckFields } from '../checks/schemas.ts'

/** Collects the problems of the fields of one body, and refuses the body with all of them. */
const createReader = () => {
  const faults: Record<string, string> = {}
  const read = <T>(pointer: string, checked: Validated<T>): T => {
    if (checked.ok) return checked.value
    faults[pointer] = checked.problem
    return undefined as T
  }
  const readOptional = <T>(
    pointer: string,
    value: string | null | undefined,
    check: (s: string) => Validated<T>,
  ) => (value === undefined || value === null ? null : read(pointer, check(value)))
  const finish = <T>(value: T): T => {
    if (Object.keys(faults).length > 0) throw new Refusal('invalid_request', faults as FieldErrors)
    return value
  }
  return { read, readOptional, finish }
}

type Reader = ReturnType<typeof createReader>
type ProfileOnWire = { name: string; url?: string | null; email?: string | null }

export const readBody = (body: string): string => {
  const { read, finish } = createReader()
  return finish(read('/body', validateBody(body)))
}

export const readProfile = (profile: ProfileOnWire) => {
  const reader = createReader()
  return reader.finish(profileFields(reader, profile, ''))
}

const profileFields = ({ read, readOptional }: Reader, profile: ProfileOnWire, at: string) => ({
  name: read(`${at}/name`, validateName(profile.name)),
  url: readOptional(`${at}/url`, profile.url, validateUrl),
  email: readOptional(`${at}/email`, profile.email, validateEmail),
})

type CommentOnWire = {
  body: string
  author?: ProfileOnWire
  article?: { title?: string | null; url?: string | null }
}

export const readNewComment = ({ body, author, article = {} }: CommentOnWire) => {
  const reader = createReader()
  return reader.finish({
    body: reader.read('/body', validateBody(body)),
    author: author && profileFields(reader, author, '/author'),
    article: {
      title: reader.readOptional('/article/title', article.title, validateTitle),
      url: reader.readOptional('/article/url', article.url, validateUrl),
    },
  })
}

type ThreadFields = { title?: string | null; url?: string | null; closes_at?: string | null }

/** Fields that the body omits stay undefined. */
export const readThreadFields = (change: ThreadFields) => {
  const { readOptional, finish } = createReader()
  return finish({
    ...(change.title !== undefined && {
      title: readOptional('/title', change.title, validateTitle),
    }),
    ...(change.url !== undefined && { url: readOptional('/url', change.url, validateUrl) }),
    ...(change.closes_at !== undefined && {
      closesAt: readOptional('/closes_at', change.closes_at, checkTime),
    }),
  })
}

/** Reads a time that can be null. */
export const readTimeOrNull = (
  pointer: string,
  text: string | null | undefined,
): Instant | null => {
  const { readOptional, finish } = createReader()
  return finish(readOptional(pointer, text, checkTime))
}

const FIRST_TIME = Date.parse('0001-01-01T00:00:00Z')
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z')

/** Accepts RFC 3339, but no leap seconds and no time whose offset leaves the four-digit years. */
const checkTime = (text: string): Validated<Instant> => {
  const time = Date.parse(text)
  if (time >= FIRST_TIME && time <= LAST_TIME) return { ok: true, value: instantOf(time) }
  return { ok: false, problem: 'must be a time in the years 0001 to 9999, without leap seconds' }
}

/** Reads one time. Problems name its pointer in the request. */
export const readTime = (pointer: string, text: string): Instant => {
  const { read, finish } = createReader()
  return finish(read(pointer, checkTime(text)))
}

type SignOnFields = { issuer: string; max_token_age?: number } & (
  | { hs256: { kid: string; secret?: string }[] }
  | { jwks_url: string }
)

type SiteFields = {
  name?: string
  login_url?: string | null
  origins?: string[]
  reserved_names?: string[]
  language?: string | null
  sign_on?: SignOnFields | null
  checks?: CheckFields[]
}

/** Fields that the body omits stay undefined. */
export const readSiteFields = (change: SiteFields) => {
  const { read, readOptional, finish } = createReader()
  const { name, login_url: loginUrl, origins, sign_on: signOn } = change
  return finish({
    ...(name !== undefined && { name: read('/name', validateTitle(name)) }),
    ...(loginUrl !== undefined && { loginUrl: readOptional('/login_url', loginUrl, validateUrl) }),
    ...(change.language !== undefined && {
      language: readOptional('/language', change.language, validateLanguage),
    }),
    ...(change.reserved_names !== undefined && {
      reservedNames: change.reserved_names.map((one, place) =>
        read(`/reserved_names/${place}`, validateName(one)),
      ),
    }),
    ...(origins !== undefined && { origins: read('/origins', validateOrigins(origins)) }),
    ...(signOn !== undefined && { signOn: signOn && readSignOn(read, signOn) }),
    ...(change.checks !== undefined && { checks: readChecks(read, change.checks) }),
  })
}

const readSignOn = (read: Reader['read'], signOn: SignOnFields) => {
  const { issuer, max_token_age: maxTokenAge } = signOn
  const common = { issuer, ...(maxTokenAge !== undefined && { maxTokenAge }) }
  if ('jwks_url' in signOn)
    return { ...common, jwksUrl: read('/sign_on/jwks_url', validateHttpsUrl(signOn.jwks_url)) }
  const { hs256 } = signOn
  const isUnique = new Set(hs256.map(({ kid }) => kid)).size === hs256.length
  const known: Validated<typeof hs256> = isUnique
    ? { ok: true, value: hs256 }
    : { ok: false, problem: 'must not name a kid twice' }
  return { ...common, hs256: read('/sign_on/hs256', known) }
}

/** Returns the canonical form of a BCP 47 tag. */
const validateLanguage = (tag: string): Validated<string> => {
  try {
    return { ok: true, value: Intl.getCanonicalLocales(tag)[0]! }
  } catch {
    return { ok: false, problem: 'must be a language tag of BCP 47, like en-GB' }
  }
}

const validateOrigins = (origins: string[]): Validated<string[]> => {
  const isAny = origins.length === 1 && origins[0] === '*'
  const areExact = origins.every(
    (origin) => URL.canParse(origin) && new URL(origin).origin === origin,
  )
  const areWeb = origins.every((origin) => /^https?:[^*]*$/.test(origin))
  if (isAny || (areExact && areWeb)) return { ok: true, value: [...new Set(origins)] }
  return { ok: false, problem: 'must be exact origins, like https://example.org, or * alone' }
}

type MemberFields = {
  name?: string
  url?: string | null
  avatar_url?: string | null
  email?: string | null
  location?: string | null
}

/** Fields that the body omits stay undefined. */
export const readMemberFields = (change: MemberFields) => {
  const { read, readOptional, finish } = createReader()
  return finish({
    ...(change.name !== undefined && { name: read('/name', validateName(change.name)) }),
    ...(change.url !== undefined && { url: readOptional('/url', change.url, validateUrl) }),
    ...(change.avatar_url !== undefined && {
      avatarUrl: readOptional('/avatar_url', change.avatar_url, validateUrl),
    }),
    ...(change.email !== undefined && {
      email: readOptional('/email', change.email, validateEmail),
    }),
    ...(change.location !== undefined && {
      location: readOptional('/location', change.location, validateName),
    }),
  })
}

/** A key's name and the time when it ends. */
export const readKeyFields = (body: { name: string; expires_at?: string | null }) => {
  const { read, readOptional, finish } = createReader()
  return finish({
    name: read('/name', validateTitle(body.name)),
    expiresAt: readOptional('/expires_at', body.expires_at, checkTime),
  })
}

/** Fields that the body omits stay undefined. */
export const readReasonFields = <T extends { title?: string }>(change: T): T => {
  const { read, finish } = createReader()
  const { title } = change
  return finish({
    ...change,
    ...(title !== undefined && { title: read('/title', validateTitle(title)) }),
  })
}
