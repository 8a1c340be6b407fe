import type { KeyObject } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'
import { sign } from '../wire/keys.ts'

const HASH_BYTES = 16

/** What a trusted proxy forwards need not be an address; whoever it is shares one quota. */
const UNKNOWN = 'unknown'

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
