import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import {
  type BanSubject,
  domainsOf,
  normalizeEmail,
  type WriterIdentity,
} from '../../domain/moderation/ban.ts'
import { mayModerate } from '../../domain/people/caller.ts'
import { sign } from '../wire/keys.ts'
import { hashAddress } from './addresses.ts'

const HASH_BYTES = 16

/** Tells a banned e-mail without keeping it; the same on all sites, for bans that are for all. */
export const hashEmail = (key: KeyObject, email: string): Buffer =>
  sign(key, `email ${normalizeEmail(email)}`, HASH_BYTES)

/** Whether a ban meets who gives this e-mail. */
export const matchesEmail = (key: KeyObject, target: BanSubject, email: string): boolean => {
  if (target.kind === 'email') return hashEmail(key, email).equals(target.emailHash)
  return target.kind === 'email_domain' && domainsOf(normalizeEmail(email)).includes(target.domain)
}

/**
 * Who sends a request, as bans know it: by its token, its address, and the e-mail that is on file or that
 * it gives with this. Undefined for those whom no ban meets.
 */
export const writerIdentityOf = (
  key: KeyObject,
  { caller, ip }: Pick<FastifyRequest, 'caller' | 'ip'>,
  given: string | null = null,
): WriterIdentity | undefined => {
  if (mayModerate(caller)) return undefined
  const onFile = 'authorId' in caller ? (caller.email ?? null) : null
  const emails = [given, onFile].flatMap((email) => (email === null ? [] : [normalizeEmail(email)]))
  return {
    authorId: 'authorId' in caller ? caller.authorId : undefined,
    ip: isIP(ip) === 0 || ip.includes('%') ? null : unmapped(ip),
    emailHashes: emails.map((email) => hashEmail(key, email)),
    domains: emails.flatMap(domainsOf),
  }
}

/** An IPv4 address that is written as one of IPv6 is one of IPv4. */
const unmapped = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.)/i, '')
const MAPPED_BITS = 96

const MIN_PREFIX = { 4: 8, 6: 19 }
const MAX_PREFIX = { 4: 32, 6: 128 }
/** What an address alone stands for: itself, or the /64 that an IPv6 subscriber has. */
const DEFAULT_PREFIX = { 4: 32, 6: 64 }

/**
 * A network as it is banned, in the way that Postgres takes it, and the hash of the address that it stands
 * for; undefined when it is none, or too large.
 */
export const readNetwork = (
  key: KeyObject,
  text: string,
): { network: string; addressHash: Buffer | null } | undefined => {
  const [written = '', size, ...rest] = text.trim().split('/')
  const address = unmapped(written)
  const family = isIP(address)
  if ((family !== 4 && family !== 6) || rest.length > 0 || address.includes('%')) return undefined
  if (size !== undefined && !/^\d{1,3}$/.test(size)) return undefined
  const shared = address === written ? 0 : MAPPED_BITS
  const prefix = size === undefined ? DEFAULT_PREFIX[family] : Number(size) - shared
  if (prefix < MIN_PREFIX[family] || prefix > MAX_PREFIX[family]) return undefined
  const addressHash = prefix === DEFAULT_PREFIX[family] ? hashAddress(key, address) : null
  return { network: `${address}/${prefix}`, addressHash }
}
