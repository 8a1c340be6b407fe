import { Agent, type IncomingHttpHeaders, request } from 'node:http'

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The received bytes, still compressed. */
  readonly body: Buffer
}

type Options = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly agent?: Agent
}

/** A client with one persistent connection. */
export const createConnection = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 })

export const send = (url: string, options: Options = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { headers, json, agent, method = json === undefined ? 'GET' : 'POST' } = options
    const body = json === undefined ? undefined : JSON.stringify(json)
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const settings = { method, agent: agent ?? false, headers: { ...type, ...length, ...headers } }
    const asked = request(url, settings as never, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks),
        }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })

/** @throws Error with the beginning of the body if the status is 300 or above */
export const sendWell = async (url: string, options: Options = {}): Promise<Answer> => {
  const answer = await send(url, options)
  if (answer.status >= 300)
    throw new Error(`${url} answered ${answer.status}: ${answer.body.toString().slice(0, 200)}`)
  return answer
}
