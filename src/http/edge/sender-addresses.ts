import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

const FORWARDED_HEADERS = ['x-forwarded-for', 'forwarded'] as const
/** The header in which the trusted proxies name the client. No other header names one. */
export type ForwardedHeader = (typeof FORWARDED_HEADERS)[number]

/** The proxies whose header the service reads, and its name. */
export type Proxies = {
  /** Addresses, networks, and `unix:` for a local proxy whose client is a Unix socket. */
  readonly trusted: readonly string[]
  readonly header: ForwardedHeader
}

type Warn = (fields: object, message: string) => void

export type SenderAddresses = {
  readonly isTrusted: (address: string | undefined) => boolean
  /** The address of a request's sender. Null if a trusted proxy does not name it. */
  readonly read: (raw: Pick<IncomingMessage, 'headers' | 'socket'>) => string | null
}

const UNIX = 'unix:'
const MAPPED_BITS = 96

/**
 * Reads addresses from the nearest hop to the farthest, and stops at the first that no proxy list trusts: a client can
 * write everything beyond it. Warns once of each way in which strangers count as one sender.
 */
export const createSenderAddresses = (
  { trusted, header }: Proxies,
  warn: Warn,
): SenderAddresses => {
  const isListed = createTrust(trusted)
  const isUnixTrusted = trusted.includes(UNIX)
  const warnOnce = once(warn)

  const read: SenderAddresses['read'] = ({ headers, socket }) => {
    const peer = canonicalAddress(socket.remoteAddress ?? '')
    // The connection has ended already.
    if (peer === undefined) return null
    if (!isListed(peer)) {
      const isForwarded = FORWARDED_HEADERS.some((name) => headers[name] !== undefined)
      if (isForwarded && isPrivate(peer)) warnOnce(NOT_TRUSTED)
      return peer
    }
    const list = headers[header]
    if (list === undefined) warnOnce(NO_HEADER, { header })
    let sender = peer
    for (const element of list === undefined ? [] : partsFromRight(String(list), ',')) {
      const node = unquoted(header === 'forwarded' ? forOf(element) : element)
      if (isUnixTrusted && node.startsWith(UNIX)) continue
      const address = addressOf(node)
      if (address === undefined) {
        warnOnce(NO_ADDRESS, { header, wrote: kindOf(node) })
        return null
      }
      if (!isListed(address)) return address
      sender = address
    }
    return sender
  }
  const isTrusted = (text = '') => {
    const address = canonicalAddress(text)
    return address !== undefined && isListed(address)
  }
  return { isTrusted, read }
}

const NOT_TRUSTED =
  'a proxy is not in AFTERWORD_TRUSTED_PROXIES: all its readers count as one sender'
const NO_HEADER = 'a trusted proxy forwards no address: all its readers count as one sender'
const NO_ADDRESS =
  'a trusted proxy names something else than an address: such readers share their limits, and no network ban applies'

const once = (warn: Warn) => {
  const warned = new Set<string>()
  return (message: string, fields: object = {}): void => {
    if (warned.has(message)) return
    warned.add(message)
    warn(fields, message)
  }
}

/** The kind of a text, because the text itself can be personal. */
const kindOf = (node: string): string => {
  if (node === '') return 'nothing'
  if (node.toLowerCase() === 'unknown') return 'unknown'
  if (node.startsWith('_')) return 'an obfuscated identifier'
  return node.startsWith(UNIX) ? 'a Unix socket' : 'no address'
}

const createTrust = (trusted: readonly string[]): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const network of trusted) {
    if (network === UNIX) continue
    const [text = '', size] = network.split('/')
    const address = canonicalAddress(text)!
    const isV4 = isIPv4(address)
    const shared = isV4 && isIPv6(text) ? MAPPED_BITS : 0
    const prefix = size === undefined ? (isV4 ? 32 : 128) : Math.max(0, Number(size) - shared)
    list.addSubnet(address, prefix, isV4 ? 'ipv4' : 'ipv6')
  }
  return (address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

const PRIVATE = ['loopback', 'private', 'linkLocal', 'uniqueLocal', 'carrierGradeNat']

/** Networks from which proxies send. A client on the Internet that writes a header itself causes no warning. */
const isPrivate = (address: string): boolean => PRIVATE.includes(ipaddr.parse(address).range())

/** One spelling per address: IPv4 where IPv6 only wraps it, and no zone, which has a meaning on one machine alone. */
const canonicalAddress = (text: string): string | undefined => {
  if (isIPv4(text)) return text
  if (!isIPv6(text)) return undefined
  return ipaddr.process(text.replace(/%.*/, '')).toString()
}

/** An IPv4 address or an IPv6 address in brackets, and a port, which can be obfuscated (RFC 7239). */
const WITH_PORT = /^(?:\[([^\]]+)\]|([\d.]+))(?::(?:\d{0,5}|_[\w.-]+))?$/

/** The address in the name of a hop: `203.0.113.7`, `203.0.113.7:4000`, `2001:db8::1` or `[2001:db8::1]:443`. */
const addressOf = (node: string): string | undefined => {
  const [, inBrackets, bare] = WITH_PORT.exec(node) ?? []
  return canonicalAddress(inBrackets ?? bare ?? node)
}

/** The client that an element of Forwarded names; empty unless it names exactly one. */
const forOf = (element: string): string => {
  const nodes = [...partsFromRight(element, ';')].flatMap(
    (pair) => /^for\s*=\s*(.*)$/i.exec(pair)?.[1] ?? [],
  )
  return nodes.length === 1 ? nodes[0]! : ''
}

const unquoted = (text: string): string => {
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"$/.exec(text) ?? []
  return quoted === undefined ? text : quoted.replace(/\\(.)/g, '$1')
}

/**
 * Splits a list at a separator outside quotes, the last part first. The nearest proxy wrote the last part, so that no
 * quote of a client can change how that part is read.
 */
function* partsFromRight(list: string, separator: ',' | ';'): Generator<string> {
  let end = list.length
  let isQuoted = false
  for (let at = end - 1; at >= 0; at--) {
    if (list[at] === '"' && !isEscaped(list, at)) isQuoted = !isQuoted
    if (list[at] !== separator || isQuoted) continue
    yield list.slice(at + 1, end).trim()
    end = at
  }
  yield list.slice(0, end).trim()
}

const isEscaped = (text: string, at: number): boolean => {
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes += 1
  return backslashes % 2 === 1
}
