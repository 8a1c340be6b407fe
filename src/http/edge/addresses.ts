import { isIPv4 } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Sender } from '../../domain/site/check.ts'
import { type Keys, sign, signWithAll } from '../wire/keys.ts'

const HASH_BYTES = 16
/** Longer than the user agent of any browser. */
const MAX_USER_AGENT_LENGTH = 500

/** The network of all senders without a known address. They share their limits, and nothing else. */
const UNKNOWN = 'unknown'

/** The sender's address and user agent, for external checks. They are not stored. */
export const senderOf = ({ address, headers }: FastifyRequest): Sender => ({
  ip: address,
  userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH) ?? null,
})

/** The network that limits count: an IPv4 address, or the /64 that an IPv6 subscriber has. */
export const networkOf = (address: string | null): string =>
  address === null ? UNKNOWN : isIPv4(address) ? address : normalizeIP(address)

/** The network as a comment stores it. An unknown one is not stored, because strangers would become one writer. */
export const storedNetworkOf = (
  keys: Keys,
  { address, network }: Pick<FastifyRequest, 'address' | 'network'>,
) =>
  address === null
    ? { network: null, addressHash: null }
    : { network: truncateAddress(address), addressHash: hashNetwork(keys, network) }

/** The part of an address that moderators see: the IPv4 /24 or the IPv6 /48. */
const truncateAddress = (address: string): string =>
  isIPv4(address)
    ? `${address.split('.').slice(0, 3).join('.')}.0/24`
    : `${normalizeIP(address, 48)}/48`

/** Hashes a network, so that networks can be compared without storing them. */
export const hashNetwork = (keys: Keys, network: string): Buffer => sign(keys, network, HASH_BYTES)

/** Every hash that is stored for the network; one of an earlier secret stays. */
export const hashesOfNetwork = (keys: Keys, network: string): Buffer[] =>
  signWithAll(keys, network, HASH_BYTES)

/** Hashes a member's subject, so that members can be recognised without storing their subjects. */
export const hashSubject = (keys: Keys, siteId: number, subject: string): Buffer =>
  sign(keys, memberOf(siteId, subject), HASH_BYTES)

/** Every hash that an erasure can have stored for the member. */
export const hashesOfSubject = (keys: Keys, siteId: number, subject: string): Buffer[] =>
  signWithAll(keys, memberOf(siteId, subject), HASH_BYTES)

const memberOf = (siteId: number, subject: string): string => `member ${siteId} ${subject}`
