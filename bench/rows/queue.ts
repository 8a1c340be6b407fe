import { ADMIN_KEY, startService, using } from '../bench.ts'
import { atMost, median, quantile, say } from '../figures.ts'
import { createRandom } from '../random.ts'
import type { Row } from '../row.ts'
import { createConnection, sendWell } from '../servers/http.ts'

const QUEUE = '/v1/sites/default/moderation/comments'
const PAGES = 400
/** Pages that do not count: Node compiles the code of the route. */
const WARM_UP_PAGES = 100
/** Filters with common and with rare matches. With rare matches a page ends at the scan bound. */
const QUERIES = [
  'status=approved&sort=oldest',
  'status=approved&sort=newest',
  'status=approved&sort=flags',
  'status=approved&sort=newest&q=unheard-of',
  'status=approved&sort=oldest&rule=old_threads',
]

export const QUEUE_PAGES: Row = {
  lines: [
    {
      row: 'a page of the moderation queue, 99th percentile',
      against: 'five ways to ask, each walked on and on; the seeded site is all in one status',
      goal: atMost(10),
    },
  ],
  run: (bench) =>
    using([() => startService(bench, bench.big)], async (service) => {
      const agent = createConnection()
      const headers = { authorization: `Bearer ${ADMIN_KEY}` }
      const random = createRandom(PAGES)
      const cursors = new Map<string, string>()
      const latencies: number[] = []
      for (let page = 0; page < WARM_UP_PAGES + PAGES; page++) {
        const query = QUERIES[Math.floor(random() * QUERIES.length)]!
        const url = `${service!.url}${QUEUE}?${query}${cursors.get(query) ?? ''}`
        const begun = performance.now()
        const { body } = await sendWell(url, { agent, headers })
        if (page >= WARM_UP_PAGES) latencies.push(performance.now() - begun)
        const next = JSON.parse(body.toString()).next_cursor
        cursors.set(query, next === null ? '' : `&cursor=${next}`)
      }
      agent.destroy()
      return [
        {
          value: quantile(latencies, 0.99),
          low: Math.min(...latencies),
          high: Math.max(...latencies),
          unit: 'ms',
          command: `GET ${QUEUE}?… , ${PAGES} pages of 20, one after another; ${bench.big.comments} comments`,
          note: `median ${say(median(latencies))} ms.`,
        },
      ]
    }),
}
