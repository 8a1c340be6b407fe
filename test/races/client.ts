import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'

type Teardown = { teardown: (callback: () => unknown) => void }

/** An answer, and when its request was sent and its status line was there, by the same clock. */
export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** As it came over the wire. */
  readonly bytes: Buffer
  readonly text: string
  readonly begun: number
  readonly ended: number
}

/** The node could not ask Postgres in time, and says so. */
export const isUnconfirmed = ({ headers }: Answer): boolean =>
  String(headers['cache-status']).includes('detail=unconfirmed')

export type Ask = {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: object
}

/** Rejects when the connection breaks before the answer is whole. */
export type Send = (url: string, ask?: Ask) => Promise<Answer>

/** Only what hangs for good takes this long. */
const GIVE_UP_MS = 15_000

const DECODERS: Record<string, (bytes: Buffer) => Promise<Buffer>> = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
}

/** Sends over connections that are kept and used again. */
export const createClient = (t: Teardown): Send => {
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  return async (url, { method = 'GET', headers = {}, body } = {}) => {
    const begun = performance.now()
    const content = body && JSON.stringify(body)
    const typed = content ? { 'content-type': 'application/json' } : {}
    const signal = AbortSignal.timeout(GIVE_UP_MS)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const sent = request(url, { agent, method, signal, headers: { ...typed, ...headers } }, resolve)
    sent.on('error', reject).end(content)
    const answer = await promise
    const ended = performance.now()
    const bytes = Buffer.concat(await answer.toArray())
    const decode = bytes.length > 0 && DECODERS[answer.headers['content-encoding'] ?? '']
    const text = String(decode ? await decode(bytes) : bytes)
    return { status: answer.statusCode!, headers: answer.headers, bytes, text, begun, ended }
  }
}
