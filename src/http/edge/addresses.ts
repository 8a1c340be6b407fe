import { isIP, isIPv4 } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Sender } from '../../domain/site/check.ts'
import { type Keys, sign, signWithAll } from '../wire/keys.ts'

const HASH_BYTES = 16
/** Longer than the user agent of any browser. */
const MAX_USER_AGENT_LENGTH = 500

/** A trusted proxy can forward a value that is no address; all such senders share one quota. */
const UNKNOWN = 'unknown'

/** The sender's address and user agent, for external checks. They are not stored. */
export const senderOf = ({ ip, headers }: FastifyRequest): Sender => ({
  ip: isIP(ip) === 0 ? null : ip,
  userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH) ?? null,
})

/** The network that limits count: an IPv4 address, or the /64 that an IPv6 subscriber has. */
export const networkOf = (ip: string): string => {
  if (isIPv4(ip)) return ip
  return isIP(ip) === 0 ? UNKNOWN : normalizeIP(ip)
}

/** The part of an address that is stored and that moderators see: the IPv4 /24 or the IPv6 /48. */
export const truncateAddress = (ip: string): string => {
  const network = networkOf(ip)
  if (network === UNKNOWN) return UNKNOWN
  if (isIPv4(network)) return `${network.split('.').slice(0, 3).join('.')}.0/24`
  return `${normalizeIP(ip, 48)}/48`
}

/** Hashes the network of an address, so that networks can be compared without storing them. */
export const hashAddress = (keys: Keys, ip: string): Buffer => sign(keys, networkOf(ip), HASH_BYTES)

/** Every hash that is stored for the address; one of an earlier secret stays. */
export const hashesOfAddress = (keys: Keys, ip: string): Buffer[] =>
  signWithAll(keys, networkOf(ip), HASH_BYTES)

/** Hashes a member's subject, so that members can be recognised without storing their subjects. */
export const hashSubject = (keys: Keys, siteId: number, subject: string): Buffer =>
  sign(keys, memberOf(siteId, subject), HASH_BYTES)

/** Every hash that an erasure can have stored for the member. */
export const hashesOfSubject = (keys: Keys, siteId: number, subject: string): Buffer[] =>
  signWithAll(keys, memberOf(siteId, subject), HASH_BYTES)

const memberOf = (siteId: number, subject: string): string => `member ${siteId} ${subject}`
