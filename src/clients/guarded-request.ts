import { lookup as resolveName } from 'node:dns'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A request to an address that a site has chosen: a POST if it has a body, else a GET. */
export type Sent = {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Until the last byte of the response. */
  readonly timeoutMs: number
  readonly maxBytes: number
}

export type Received = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/**
 * The only way to send requests to services outside: https to a public address, without redirects and
 * without a proxy. Resolves with a response of any status; rejects with the reason if there is none.
 */
export type GuardedRequest = (sent: Sent) => Promise<Received>

export type GuardOptions = {
  /** Networks (CIDR) that are allowed although they are not public. */
  readonly allowedNetworks: readonly string[]
  /** Certificates to trust instead of the default ones. */
  readonly ca?: string
}

export const createGuardedRequest = ({ allowedNetworks, ca }: GuardOptions): GuardedRequest => {
  const isAllowed = createAddressGuard(allowedNetworks)
  const lookup = createGuardedLookup(isAllowed)
  return async ({ url: text, headers, body, timeoutMs, maxBytes }) => {
    const url = readUrl(text)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    // An address is not looked up, so the guarded lookup does not see it.
    if (isIP(host) !== 0 && !isAllowed(host)) throw new Error(`${host} is not public`)
    const { promise, resolve, reject } = Promise.withResolvers<Received>()
    const sent = request(url, {
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
      lookup,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'user-agent': 'Afterword', ...headers },
      ...(ca !== undefined && { ca }),
    })
    sent.on('error', reject)
    sent.on('socket', (socket) =>
      socket.once('connect', () => {
        const address = socket.remoteAddress ?? ''
        if (!isAllowed(address)) socket.destroy(new Error(`${address} is not public`))
      }),
    )
    sent.on('response', (response) => void receive(response, maxBytes).then(resolve, reject))
    sent.end(body)
    return promise.finally(() => sent.destroy())
  }
}

const readUrl = (text: string): URL => {
  const url = new URL(text)
  if (url.protocol !== 'https:') throw new Error('only https is asked')
  if (url.username || url.password) throw new Error('an address has no user and no password')
  return url
}

/** True for an address of the public Internet or of an allowed network. */
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

/** Rejects a name if any of its addresses is not allowed, so that the one used for the connection is. */
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

const receive = async (response: IncomingMessage, maxBytes: number): Promise<Received> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: response.statusCode!, headers: response.headers, text }
}
