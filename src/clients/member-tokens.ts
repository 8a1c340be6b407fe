import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { ROLES, type Role } from '../domain/comment/comment.ts'
import {
  isStorable,
  repairName,
  type Validated,
  validateEmail,
  validateUrl,
} from '../domain/comment/text.ts'
import { instantOf } from '../domain/instant.ts'
import {
  DEFAULT_TOKEN_AGE,
  type MemberProfile,
  type ReadMemberToken,
  type SignOn,
} from '../domain/people/sign-on.ts'
import { Refusal } from '../domain/refusal.ts'
import type { GuardedGet } from './guarded-get.ts'
import { createPublicKeys } from './public-keys.ts'

/** The clocks of this service and of a site can differ. */
const CLOCK_TOLERANCE_SECONDS = 60
const MAX_TOKEN_LENGTH = 8_192
const MAX_SUBJECT_LENGTH = 255
const PUBLIC_KEY_ALGORITHMS = ['RS256', 'ES256', 'EdDSA']

/**
 * Reads member tokens: JWTs (RFC 7519) that a site signs with a secret or private key of its own. The
 * settings of the site determine the algorithm of a key; the header of a token does not.
 */
export const createMemberTokens = ({ get }: { readonly get: GuardedGet }): ReadMemberToken => {
  const publicKeys = createPublicKeys(get)
  return async ({ slug, formerSlug, signOn }, token) => {
    if (!signOn || token.length > MAX_TOKEN_LENGTH) throw new Refusal('invalid_token')
    const isShared = 'hs256' in signOn
    const key = isShared ? secretOf(signOn.hs256) : publicKeys(signOn.jwksUrl)
    const claims = await verify(token, key, {
      algorithms: isShared ? ['HS256'] : PUBLIC_KEY_ALGORITHMS,
      audience: formerSlug ? [slug, formerSlug] : slug,
      issuer: signOn.issuer,
      requiredClaims: ['sub', 'iat', 'exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    })
    assertUnambiguous(token)
    assertShortLived(claims, signOn.maxTokenAge ?? DEFAULT_TOKEN_AGE)
    return readProfile(claims)
  }
}

/** Parsers disagree about a name that stands twice in an object: another one could read other rights. */
const assertUnambiguous = (token: string): void => {
  for (const part of token.split('.').slice(0, 2)) {
    const name = findRepeatedName(Buffer.from(part, 'base64url').toString())
    if (name !== undefined) throw wrongClaim(name, 'is there twice')
  }
}

const JSON_TOKENS = /"(?:[^"\\]|\\.)*"|[[\]{}:]/gs

/** The first name that an object of a valid JSON text has twice. */
const findRepeatedName = (json: string): string | undefined => {
  const names: Set<string>[] = []
  let text = ''
  for (const [token] of json.matchAll(JSON_TOKENS)) {
    if (token === '{' || token === '[') names.push(new Set())
    else if (token === '}' || token === ']') names.pop()
    else if (token !== ':') text = token
    else {
      const name: string = JSON.parse(text)
      const known = names.at(-1)!
      if (known.has(name)) return name
      known.add(name)
    }
  }
  return undefined
}

/** A stolen token is valid until it expires. `iat` is at most a minute ahead, so the end is near as well. */
const assertShortLived = ({ iat, exp }: JWTPayload, maxSeconds: number): void => {
  if (exp! - iat! > maxSeconds)
    throw wrongClaim(
      'exp',
      `must be at most ${maxSeconds} seconds after "iat" (sign_on.max_token_age)`,
    )
}

const secretOf =
  (secrets: Extract<SignOn, { hs256: unknown }>['hs256']): JWTVerifyGetKey =>
  ({ kid }) => {
    if (kid === undefined)
      throw new Refusal('invalid_token', { authorization: 'the header must name its "kid"' })
    const found = secrets.find((secret) => secret.kid === kid)
    if (!found) throw new Refusal('invalid_token')
    return new TextEncoder().encode(found.secret)
  }

type Options = Parameters<typeof jwtVerify>[2]

/** Explains a wrong claim only if the signature is valid: that caller knows the key of the site. */
const verify = async (
  token: string,
  key: JWTVerifyGetKey,
  options: Options,
): Promise<JWTPayload> => {
  try {
    return (await jwtVerify(token, key, options)).payload
  } catch (error) {
    if (error instanceof Refusal) throw error
    const isSigned =
      error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired
    throw isSigned
      ? wrongClaim(error.claim, error.reason === 'missing' ? 'is missing' : explain(error.claim))
      : new Refusal('invalid_token', {}, { cause: error })
  }
}

const explain = (claim: string): string =>
  ({
    exp: 'says that the token has expired',
    nbf: 'says that the token is not good yet',
    aud: 'must be the slug of the site',
    iss: "must be the site's sign_on.issuer",
  })[claim] ?? 'is not as it must be'

const wrongClaim = (claim: string, problem: string): Refusal =>
  new Refusal('invalid_token', { authorization: `the claim "${claim}" ${problem}` })

/**
 * A person cannot change what their site says of them, so an odd name is repaired, and an odd address is
 * left out. Only claims that say who the member is and what they may do make a token invalid.
 */
const readProfile = (claims: JWTPayload): MemberProfile => {
  const email = readOrDrop(claims.email, validateEmail)
  return {
    subject: readSubject(claims.sub),
    name: repairName(typeof claims.name === 'string' ? claims.name : ''),
    url: readOrDrop(claims.url, validateUrl),
    avatarUrl: readOrDrop(claims.picture, validateUrl),
    email,
    emailVerified: email !== null && claims.email_verified === true,
    roles: readRoles(claims.role),
    issuedAt: readIssuedAt(claims.iat!),
  }
}

const readOrDrop = (
  value: unknown,
  validate: (text: string) => Validated<string>,
): string | null => {
  const validated = typeof value === 'string' ? validate(value) : undefined
  return validated?.ok ? validated.value : null
}

const readSubject = (subject: unknown): string => {
  const isGood =
    typeof subject === 'string' &&
    subject.length >= 1 &&
    subject.length <= MAX_SUBJECT_LENGTH &&
    isStorable(subject) &&
    !/\p{Cc}/u.test(subject)
  if (!isGood) throw wrongClaim('sub', 'must be a text of 1 to 255 characters')
  return subject
}

/** The claim is one role or a list of roles. */
const readRoles = (value: unknown): Role[] => {
  const claimed = Array.isArray(value)
    ? value
    : value === undefined || value === null
      ? []
      : [value]
  const roles = ROLES.filter((role) => claimed.includes(role))
  if (roles.length !== claimed.length) throw wrongClaim('role', `must be of ${ROLES.join(', ')}`)
  return roles
}

const readIssuedAt = (seconds: number): string => {
  const isPast = seconds >= 0 && seconds * 1000 <= Date.now() + CLOCK_TOLERANCE_SECONDS * 1000
  if (!isPast) throw wrongClaim('iat', 'must be a time that is past, in seconds since 1970')
  return instantOf(Math.floor(seconds * 1000))
}
