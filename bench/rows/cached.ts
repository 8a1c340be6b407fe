import { type Bench, startAlone, startBare, startService, using } from '../bench.ts'
import { sayAutocannon } from '../compare.ts'
import { atLeast } from '../figures.ts'
import { RECENT } from '../pages.ts'
import type { Figure, Row } from '../row.ts'
import { type Answer, sendWell } from '../servers/http.ts'
import {
  assertAsManyHeaders,
  assertSame,
  BARE,
  CONNECTIONS,
  compareTwo,
  type Headers,
  pageHeaders,
  pageSide,
  THREAD,
} from './beside-bare.ts'

const COMMENTS = 100

const assertWhole = ({ body }: Answer): void => {
  const { thread, next_cursor: next } = JSON.parse(body.toString())
  const shown = body.toString().split('"body_html":').length - 1
  if (shown !== COMMENTS || thread.comment_count !== COMMENTS || next !== null)
    throw new Error(`the page shows ${shown} comments, and its cursor is ${next}`)
}

const assertEncoding = ({ headers }: Answer, asked: string | undefined): void => {
  const sent = headers['content-encoding']
  if (sent !== asked) throw new Error(`asked for ${asked}, the service sent ${sent ?? 'identity'}`)
}

/** Requests one cached page repeatedly, compared with a bare server that sends the same bytes. */
const cachedPage =
  (path: string, headers: Headers = {}) =>
  (bench: Bench): Promise<Figure[]> =>
    using([() => startService(bench, bench.big)], async (service) => {
      const encoding = headers['accept-encoding']
      const page = await sendWell(`${service!.url}${path}`, { headers })
      assertEncoding(page, encoding)
      if (path === THREAD && !encoding) assertWhole(page)
      const bytes = { body: page.body, headers: pageHeaders(page) }
      return using([() => startBare(bench, bytes, 'warn')], async (bare) => {
        const same = await sendWell(`${bare!.url}${path}`, { headers })
        assertSame(page, same)
        assertAsManyHeaders(page, same)
        const sides = [
          pageSide(bench, service!, { name: 'service', path, headers }),
          pageSide(bench, bare!, { name: 'bare', path, headers }),
        ] as const
        const how = Object.entries(headers).map(([name, value]) => `-H ${name}=${value} `)
        const command = sayAutocannon(CONNECTIONS, bench.seconds, `${how.join('')}'${path}'`)
        const note = `${page.body.length} bytes, the same on both sides; LOG_LEVEL=warn.`
        return [await compareTwo(bench, sides, { command, note })]
      })
    })

export const CACHED: Row = {
  lines: [{ row: 'thread of 100, cached, identity', against: BARE, goal: atLeast(1) }],
  run: cachedPage(THREAD),
}

export const COMPRESSED: Row = {
  lines: [{ row: 'thread of 100, cached, brotli', against: BARE, goal: atLeast(1) }],
  run: cachedPage(THREAD, { 'accept-encoding': 'br' }),
}

/** Browsers send an origin with every read of a page on another origin. */
export const FROM_ORIGIN: Row = {
  lines: [
    { row: 'thread of 100, cached, brotli, from another origin', against: BARE, goal: atLeast(1) },
  ],
  run: cachedPage(THREAD, { 'accept-encoding': 'br', origin: 'https://a.example' }),
}

export const RECENT_CACHED: Row = {
  lines: [{ row: 'recent 20, cached', against: BARE, goal: atLeast(1) }],
  run: cachedPage(RECENT),
}

/** A node with the embedded Postgres and no Redis, as `npm start` without settings runs it. */
export const ALONE: Row = {
  lines: [
    {
      row: 'thread of 100, cached, as it starts',
      against: 'the same with Postgres and Redis',
      goal: atLeast(1),
    },
  ],
  run: (bench) =>
    using(
      [() => startAlone(bench), () => startService(bench, bench.small)],
      async (alone, shared) => {
        const sides = [
          pageSide(bench, alone!, { name: 'as it starts', path: THREAD }),
          pageSide(bench, shared!, { name: 'with Postgres and Redis', path: THREAD }),
        ] as const
        const command = sayAutocannon(CONNECTIONS, bench.seconds, `'${THREAD}'`)
        return [await compareTwo(bench, sides, { command, note: 'LOG_LEVEL=warn.' })]
      },
    ),
}
