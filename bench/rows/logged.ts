import { startBare, startService, using } from '../bench.ts'
import { alternate, ratioOfSides, sayAutocannon, sayRates } from '../compare.ts'
import { atLeast } from '../figures.ts'
import type { Row } from '../row.ts'
import { sendWell } from '../servers/http.ts'
import { assertSame, CONNECTIONS, pageSide, THREAD } from './beside-bare.ts'

/** Compares default logging with a bare route and with no logging. */
export const LOGGED: Row = {
  lines: [
    {
      row: 'thread of 100, cached, default logging',
      against: 'a bare Fastify route without logging, headers or limiter',
    },
    {
      row: 'what the log costs',
      against: 'the same without a line per request',
      goal: atLeast(0.9),
    },
  ],
  run: (bench) =>
    using(
      [
        () => startService(bench, bench.big, { LOG_LEVEL: 'info' }),
        () => startService(bench, bench.big),
      ],
      async (logged, quiet) => {
        const page = await sendWell(`${logged!.url}${THREAD}`)
        const bytes = {
          body: page.body,
          headers: { 'content-type': page.headers['content-type']! },
        }
        return using([() => startBare(bench, bytes, undefined)], async (bare) => {
          assertSame(page, await sendWell(`${bare!.url}${THREAD}`))
          const sides = [
            pageSide(bench, logged!, { name: 'service, info', path: THREAD }),
            pageSide(bench, bare!, { name: 'bare', path: THREAD }),
            pageSide(bench, quiet!, { name: 'service, warn', path: THREAD }),
          ]
          const rates = await alternate(bench, sides)
          const command = sayAutocannon(CONNECTIONS, bench.seconds, `'${THREAD}'`)
          const note = `${sayRates(sides, rates)}. The log goes to a file.`
          const noteBelow = 'From the same rounds as the row above.'
          return [
            { ...ratioOfSides(rates, 0, 1), command, note },
            { ...ratioOfSides(rates, 0, 2), command, note: noteBelow },
          ]
        })
      },
    ),
}
