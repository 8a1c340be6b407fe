import { lookup as resolveName } from 'node:dns'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What is sent to an address that somebody else has chosen. A body makes it a POST. */
export type Sent = {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** From here to the last byte of the answer. */
  readonly timeoutMs: number
  readonly maxBytes: number
}

export type Received = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/**
 * The one way out: https, a public address, one answer without redirects, no proxy. Rejects with why
 * there is no answer; one of any status is an answer.
 */
export type GuardedRequest = (sent: Sent) => Promise<Received>

export type GuardOptions = {
  /** Networks (CIDR) that may be asked although they are not public. */
  readonly allowedNetworks: readonly string[]
  /** Certificates to trust instead of the usual ones. */
  readonly ca?: string
}

export const createGuardedRequest = ({ allowedNetworks, ca }: GuardOptions): GuardedRequest => {
  const isAllowed = createAddressGuard(allowedNetworks)
  const lookup = createGuardedLookup(isAllowed)
  return async ({ url: text, headers, body, timeoutMs, maxBytes }) => {
    const url = readUrl(text)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    // The name is not looked up when it is an address.
    if (isIP(host) !== 0 && !isAllowed(host)) throw new Error(`${host} is not public`)
    const { promise, resolve, reject } = Promise.withResolvers<Received>()
    const runQuery = request(url, {
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
      lookup,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { 'user-agent': 'Afterword', ...headers },
      ...(ca !== undefined && { ca }),
    })
    runQuery.on('error', reject)
    runQuery.on('socket', (socket) =>
      socket.once('connect', () => {
        const address = socket.remoteAddress ?? ''
        if (!isAllowed(address)) socket.destroy(new Error(`${address} is not public`))
      }),
    )
    runQuery.on('response', (answer) => void receive(answer, maxBytes).then(resolve, reject))
    runQuery.end(body)
    return promise.finally(() => runQuery.destroy())
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

const receive = async (answer: IncomingMessage, maxBytes: number): Promise<Received> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: answer.statusCode!, headers: answer.headers, text }
}
