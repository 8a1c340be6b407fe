import type { KeyObject } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Sender } from '../../domain/site/check.ts'
import { sign } from '../wire/keys.ts'

const HASH_BYTES = 16
/** No browser has more to say. */
const MAX_USER_AGENT_LENGTH = 500

/** What a trusted proxy forwards need not be an address; whoever it is shares one quota. */
const UNKNOWN = 'unknown'

/** Who sends the request, for those who are asked about what it says. Kept nowhere. */
export const senderOf = ({ ip, headers }: FastifyRequest): Sender => ({
  ip: isIP(ip) === 0 ? null : ip,
  userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH) ?? null,
})

/** What limits go by: an IPv4 address, or the /64 that an IPv6 subscriber has. */
export const networkOf = (ip: string): string => {
  if (isIPv4(ip)) return ip
  return isIP(ip) === 0 ? UNKNOWN : normalizeIP(ip)
}

/** What moderators see and what is kept: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export const truncateAddress = (ip: string): string => {
  const network = networkOf(ip)
  if (network === UNKNOWN) return UNKNOWN
  if (isIPv4(network)) return `${network.split('.').slice(0, 3).join('.')}.0/24`
  return `${normalizeIP(ip, 48)}/48`
}

/** Tells addresses apart without keeping them. */
export const hashAddress = (key: KeyObject, ip: string): Buffer =>
  sign(key, networkOf(ip), HASH_BYTES)

/** Tells a site's members apart without keeping what the site calls them. */
export const hashSubject = (key: KeyObject, siteId: number, subject: string): Buffer =>
  sign(key, `member ${siteId} ${subject}`, HASH_BYTES)
