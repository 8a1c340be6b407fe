import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import {
  type BanHashes,
  type BanSubject,
  domainsOf,
  normalizeEmail,
  type WriterIdentity,
} from '../../domain/moderation/ban.ts'
import { mayModerate } from '../../domain/people/caller.ts'
import { type Keys, signWithAll } from '../wire/keys.ts'
import { hashesOfNetwork, networkOf } from './addresses.ts'

const HASH_BYTES = 16

/**
 * Hashes an e-mail address, so that bans need not store it. All sites use one hash, for bans on all sites. A new ban
 * stores the first; a stored ban can have any of them.
 */
export const hashesOfEmail = (keys: Keys, email: string): Buffer[] =>
  signWithAll(keys, `email ${normalizeEmail(email)}`, HASH_BYTES)

/** @param keys read at the first use, because they are known only once the database is prepared */
export const createBanHashes = (keys: () => { readonly addresses: Keys }): BanHashes => ({
  emails: (email) => hashesOfEmail(keys().addresses, email),
  addresses: (ip) => hashesOfNetwork(keys().addresses, networkOf(ip)),
})

/** True if a ban matches a writer with this e-mail address. */
export const matchesEmail = (keys: Keys, target: BanSubject, email: string): boolean => {
  if (target.kind === 'email') return hashesOfEmail(keys, email)[0]!.equals(target.emailHashes[0]!)
  return target.kind === 'email_domain' && domainsOf(normalizeEmail(email)).includes(target.domain)
}

/**
 * The data of a caller that bans are compared with: author, address, and the e-mail addresses that are
 * stored or given with the request. Undefined for moderators, whom no ban matches.
 */
export const writerIdentityOf = (
  keys: Keys,
  { caller, address }: Pick<FastifyRequest, 'caller' | 'address'>,
  given: string | null = null,
): WriterIdentity | undefined => {
  if (mayModerate(caller)) return undefined
  const stored = 'authorId' in caller ? (caller.email ?? null) : null
  const emails = [given, stored].flatMap((email) => (email === null ? [] : [normalizeEmail(email)]))
  return {
    authorId: 'authorId' in caller ? caller.authorId : undefined,
    ip: address,
    emailHashes: emails.flatMap((email) => hashesOfEmail(keys, email)),
    domains: emails.flatMap(domainsOf),
  }
}

/** Converts an IPv4 address in IPv6 notation to IPv4 notation. */
const unmapped = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.)/i, '')
const MAPPED_BITS = 96

const MIN_PREFIX = { 4: 8, 6: 19 }
const MAX_PREFIX = { 4: 32, 6: 128 }
/** The network of an address without a prefix: the IPv4 address, or the /64 of an IPv6 subscriber. */
const DEFAULT_PREFIX = { 4: 32, 6: 64 }

/**
 * Reads a network to ban, in the notation of Postgres, with the hashes of its address if it is one
 * subscriber's. Undefined if the text is no network, or if the network is too large.
 */
export const readNetwork = (
  keys: Keys,
  text: string,
): { network: string; addressHashes: readonly Buffer[] } | undefined => {
  const [original = '', size, ...rest] = text.trim().split('/')
  const address = unmapped(original)
  const family = isIP(address)
  if ((family !== 4 && family !== 6) || rest.length > 0 || address.includes('%')) return undefined
  if (size !== undefined && !/^\d{1,3}$/.test(size)) return undefined
  const shared = address === original ? 0 : MAPPED_BITS
  const prefix = size === undefined ? DEFAULT_PREFIX[family] : Number(size) - shared
  if (prefix < MIN_PREFIX[family] || prefix > MAX_PREFIX[family]) return undefined
  const addressHashes =
    prefix === DEFAULT_PREFIX[family] ? hashesOfNetwork(keys, networkOf(address)) : []
  return { network: `${address}/${prefix}`, addressHashes }
}
