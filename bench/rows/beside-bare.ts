import type { Bench } from '../bench.ts'
import { alternate, loadSide, ratioOfSides, type Side, sayRates } from '../compare.ts'
import { say } from '../figures.ts'
import { threadPath, WHOLE } from '../pages.ts'
import type { Figure } from '../row.ts'
import type { Answer } from '../servers/http.ts'
import type { Running } from '../servers/processes.ts'

/** Shared parts of the rows that compare with a bare route. */

export const BARE =
  'a bare Fastify route that sends the same bytes, with the same logger, headers and limiter'

export const CONNECTIONS = 50
export const THREAD = threadPath(77, WHOLE)

export type Headers = Record<string, string>

const OF_PAGES = [
  'vary',
  'content-type',
  'cache-control',
  'etag',
  'content-encoding',
  'link',
  'timing-allow-origin',
  'access-control-allow-origin',
  'access-control-expose-headers',
]

/** The headers of a page, without the headers of every response. */
export const pageHeaders = ({ headers }: Answer): Headers => {
  return Object.fromEntries(
    OF_PAGES.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : [])),
  )
}

export const assertSame = (ours: Answer, theirs: Answer): void => {
  const isSame = ours.body.equals(theirs.body) && ours.status === theirs.status
  const encodings = [ours, theirs].map(({ headers }) => headers['content-encoding'])
  if (!isSame || encodings[0] !== encodings[1])
    throw new Error('the bare route does not send what the service sends')
}

/** The headers of the limit have other names. */
export const assertAsManyHeaders = (ours: Answer, theirs: Answer): void => {
  const [our, their] = [ours, theirs].map(({ headers }) => Object.keys(headers))
  if (our!.length !== their!.length)
    throw new Error(`the service sends ${our!.join(', ')}, and the bare route ${their!.join(', ')}`)
}

type Asked = { readonly name: string; readonly path: string; readonly headers?: Headers }

/** Requests one page repeatedly. */
export const pageSide = (bench: Bench, server: Running, asked: Asked): Side => {
  const { name, path, headers = {} } = asked
  const job = () => ({ connections: CONNECTIONS, headers, asks: [{ path }] })
  return loadSide(bench, { name, server, status: 200, job })
}

export const compareTwo = async (
  bench: Bench,
  sides: readonly [ours: Side, bare: Side],
  { command, note }: { command: string; note: string },
): Promise<Figure> => {
  const rates = await alternate(bench, sides)
  const [ours, theirs] = sides.map(({ used }) => used?.().cost ?? Number.NaN) as [number, number]
  const said = `${sayRates(sides, rates)}; by processor time ${say(theirs / ours)}.`
  return { ...ratioOfSides(rates, 0, 1), command, note: `${said} ${note}` }
}
