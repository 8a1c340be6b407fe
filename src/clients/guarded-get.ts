import { lookup as resolveName } from 'node:dns'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * Fetches a text from an address that somebody else has chosen: https, a public address, one answer
 * of 200 without redirects, at most 256 KiB within 2.5 s. Rejects with why it cannot be had.
 */
export type GuardedGet = (url: string) => Promise<string>

/** Whoever waits for the text has its own answer after 3 s. */
const TIMEOUT_MS = 2_500
const MAX_BYTES = 262_144

export const createGuardedGet = (options: {
  /** Networks (CIDR) that may be asked although they are not public. */
  readonly allowedNetworks: readonly string[]
  /** Certificates to trust instead of the usual ones. */
  readonly ca?: string
}): GuardedGet => {
  const isAllowed = createAddressGuard(options.allowedNetworks)
  const lookup = createGuardedLookup(isAllowed)
  return async (text) => {
    const url = readUrl(text)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    // The name is not looked up when it is an address.
    if (isIP(host) !== 0 && !isAllowed(host)) throw new Error(`${host} is not public`)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const { ca } = options
    const asking = request(url, {
      agent: false,
      lookup,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: 'application/json', 'user-agent': 'Afterword' },
      ...(ca !== undefined && { ca }),
    })
    asking.on('error', reject)
    asking.on('socket', (socket) =>
      socket.once('connect', () => {
        const address = socket.remoteAddress ?? ''
        if (!isAllowed(address)) socket.destroy(new Error(`${address} is not public`))
      }),
    )
    asking.on('response', (answer) => void readText(answer).then(resolve, reject))
    asking.end()
    return promise.finally(() => asking.destroy())
  }
}

const readUrl = (text: string): URL => {
  const url = new URL(text)
  if (url.protocol !== 'https:') throw new Error('only https is asked')
  if (url.username || url.password) throw new Error('an address has no user and no password')
  return url
}

/** Whether an address is one of the public Internet, or of a network that is allowed by name. */
const createAddressGuard = (allowedNetworks: readonly string[]) => {
  const allowed = allowedNetworks.map((network) =>
    network.includes('/') ? ipaddr.parseCIDR(network) : wholeOf(ipaddr.parse(network)),
  )
  return (text: string): boolean => {
    if (!ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    const isIn = ([network, bits]: (typeof allowed)[number]) =>
      network.kind() === address.kind() && address.match(network as typeof address, bits)
    return address.range() === 'unicast' || allowed.some(isIn)
  }
}

const wholeOf = (address: ipaddr.IPv4 | ipaddr.IPv6): [ipaddr.IPv4 | ipaddr.IPv6, number] => [
  address,
  address.kind() === 'ipv4' ? 32 : 128,
]

/** One address that is not public spoils the name: whichever is connected to was looked at. */
const createGuardedLookup =
  (isAllowed: (address: string) => boolean): LookupFunction =>
  (name, options, done) => {
    resolveName(name, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '')
      const bad = found.find(({ address }) => !isAllowed(address))
      if (bad) return done(new Error(`${name} is at ${bad.address}, which is not public`), '')
      if (options.all) return done(null, found)
      done(null, found[0]!.address, found[0]!.family)
    })
  }

const readText = async (answer: IncomingMessage): Promise<string> => {
  if (answer.statusCode !== 200) throw new Error(`the answer is ${answer.statusCode}, not 200`)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
