import type { FastifyRequest } from 'fastify'
import type { Caller, KeyCaller } from '../../domain/people/caller.ts'
import type { MemberProfile } from '../../domain/people/sign-on.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findGuest, findKey } from '../../usecases/people/find-caller.ts'
import { signOn } from '../../usecases/people/sign-on.ts'
import { isGuestToken, readGuestToken } from '../wire/guest-tokens.ts'
import { hashesOfSubject } from './addresses.ts'
import type { Http } from './request-context.ts'

/** A parsed credential, before its holder is looked up. */
export type Credential =
  | { readonly kind: 'guest'; readonly authorId: number }
  | { readonly kind: 'member'; readonly profile: MemberProfile }
  | { readonly kind: 'key'; readonly key: string }
  | StaleGuest
/** A guest token that is not valid any more: see `ignoresStaleGuests`. */
export type StaleGuest = { readonly kind: 'stale_guest' }
export type PersonalCredential = Extract<Credential, { kind: 'guest' | 'member' }>

const KEY = /^[A-Za-z0-9_-]{32,200}$/
/** Head, claims and signature. */
const MEMBER_TOKEN = /^[\w-]+\.[\w-]+\.[\w-]*$/

/**
 * Reads the credential of a request. Refuses an invalid one with `invalid_token` even if the operation
 * needs none, because its sender expects it to be used. A public read ignores an invalid guest token. Without a site,
 * only API keys are valid.
 */
export const readCredential = async (
  { context, keys }: Http,
  request: FastifyRequest,
  site: Site | null,
): Promise<Credential> => {
  const token = /^Bearer +([!-~]+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  if (KEY.test(token)) return { kind: 'key', key: token }
  const guestsOf = site && { siteId: site.id, ids: context.idsOf(site.id) }
  const authorId = guestsOf ? readGuestToken(keys().guests, guestsOf, token) : undefined
  if (authorId !== undefined) return { kind: 'guest', authorId }
  if (site && isGuestToken(token) && ignoresStaleGuests(request)) return STALE_GUEST
  if (!site || !MEMBER_TOKEN.test(token)) throw new Refusal('invalid_token')
  return { kind: 'member', profile: await context.readMemberToken(site, token) }
}

const STALE_GUEST: StaleGuest = { kind: 'stale_guest' }

/**
 * A guest cannot get another token, and what everyone may read needs none. Other invalid credentials are refused:
 * the site renews a member token, and the owner of a program must learn that its key has lost its rights.
 */
const ignoresStaleGuests = ({ routeOptions: { config } }: FastifyRequest): boolean =>
  config.isPublicRead === true

/** Finds the caller of an API key. Refuses a key of another site with `forbidden`. */
export const identifyKey = async (
  { context }: Http,
  key: string,
  site: Site | null,
): Promise<KeyCaller> => {
  const holder = await findKey(context, key)
  if (!holder) throw new Refusal('invalid_token')
  const { siteId } = holder
  if (site && siteId !== null && siteId !== site.id) throw new Refusal('forbidden')
  return holder
}

/** Finds the caller of a guest or member token; creates a member who signs on for the first time. */
export const identify = async (
  { context, keys }: Http,
  credential: PersonalCredential,
  request: FastifyRequest,
): Promise<Caller | StaleGuest> => {
  const { site } = request
  if (credential.kind === 'guest') {
    const guest = await findGuest(context, site.id, credential.authorId)
    if (guest) return guest
    if (ignoresStaleGuests(request)) return STALE_GUEST
    throw new Refusal('invalid_token')
  }
  const { profile } = credential
  const erasedSubjects = hashesOfSubject(keys().addresses, site.id, profile.subject)
  return signOn(context, { siteId: site.id, profile, erasedSubjects })
}
