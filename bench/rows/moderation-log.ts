import type { Agent } from 'node:http'
import pg from 'pg'
import { IDS } from '../../test/ids.ts'
import { ADMIN_KEY, type Database, startService, using } from '../bench.ts'
import { atMost, median, quantile, say } from '../figures.ts'
import { createRandom } from '../random.ts'
import type { Figure, Row } from '../row.ts'
import { createConnection, sendWell } from '../servers/http.ts'
import type { Running } from '../servers/processes.ts'

const DECISIONS = 1_000_000
const DAYS = 365
const SITE = '/v1/sites/default/moderation'
/** Requests per filter and side. The first requests do not count. */
const PAGES = 100
const WARM = 20
/** Requests for the statistics per span. */
const ROUNDS = 5

/** An active moderator, and one whose decisions are all old. */
const seedTrail = async (database: Database, count: number): Promise<void> => {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query(`
    insert into decisions (site_id, action, thread_id, comment_id, from_status, to_status, reason, note,
      author_id, held_ms, decided_by, decided_at, policy_version)
    select 1, (case when n % 100 = 0 then 'pin' else 'status' end)::decision_action, 1 + n % 100, n,
      'pending', 'approved', 'other', 'a note of some words', 1 + hashint4(n) & 255,
      1000 * (hashint4(n) & 65535), case when n <= 100 then 'k8' else 'k9' end,
      now() - interval '${DAYS} days' * (1 - n / ${count}::float8), 0
    from generate_series(1, ${count}) n`)
  await client.query('vacuum (analyze) decisions')
  await client.end()
}

/** Its cost grows with the number of entries up to a bound, so the row reports it without a comparison. */
const COMBINED = 'moderator in an article'

/** Filters of the moderation log, each with many values. Some match only old entries or none. */
const FILTERS: Record<string, (n: number) => string> = {
  none: () => '',
  article: (n) => `article_id=${1 + (n % 100)}`,
  author: (n) => `author_id=${IDS.write('author', 1 + (n % 256))}`,
  moderator: (n) => `by=${[8, 9, 999].map((id) => IDS.write('key', id))[n % 3]}`,
  act: (n) => `action=${['pin', 'ban'][n % 2]}`,
  days: (n) => {
    const until = new Date(Date.now() - (n % DAYS) * 86_400_000).toISOString()
    return `until=${until}`
  },
  [COMBINED]: (n) => `by=${IDS.write('key', 8)}&article_id=${1 + (n % 100)}`,
}

type Ask = (path: string) => Promise<number>
type Compared = { readonly name: string; readonly pairs: readonly (readonly [number, number])[] }

/** Reads both sites in turn, page by page. */
const comparePages = async (big: Ask, small: Ask): Promise<Compared[]> => {
  const random = createRandom(6)
  const compared: Compared[] = []
  for (const [name, queryAt] of Object.entries(FILTERS)) {
    const pairs: [number, number][] = []
    for (let n = 0; n < PAGES + WARM; n++) {
      const path = `/decisions?${queryAt(Math.floor(random() * 1e6))}`
      pairs.push([await big(path), await small(path)])
    }
    compared.push({ name, pairs: pairs.slice(WARM) })
  }
  return compared
}

const side = ({ pairs }: Compared, n: 0 | 1): number[] => pairs.map((pair) => pair[n])

const toFigure = (compared: readonly Compared[]): Figure => {
  const single = compared.filter(({ name }) => name !== COMBINED)
  const ratios = single.map((one) => median(side(one, 0)) / median(side(one, 1)))
  const each = compared.map(
    (one) =>
      `${one.name} ${say(median(side(one, 0)))} to ${say(median(side(one, 1)))}, ` +
      `${say(quantile(side(one, 0), 0.99))} to ${say(quantile(side(one, 1), 0.99))}`,
  )
  return {
    value: Math.max(...ratios),
    low: Math.min(...ratios),
    high: Math.max(...ratios),
    command: `GET ${SITE}/decisions?…`,
    note: `One connection for each side. Medians, and 99th percentiles, in ms: ${each.join('; ')}.`,
  }
}

const toYear = (spans: Readonly<Record<number, readonly number[]>>): Figure => {
  const year = spans[DAYS]!
  return {
    value: median(year),
    low: Math.min(...year),
    high: Math.max(...year),
    unit: 'ms',
    command: `GET ${SITE}/stats?days=${DAYS}`,
    note: `Of 30 days ${say(median(spans[30]!))} ms. Of a year the latest 100,000 decisions are counted.`,
  }
}

const asker =
  ({ url }: Running, agent: Agent): Ask =>
  async (path) => {
    const begun = performance.now()
    const headers = { authorization: `Bearer ${ADMIN_KEY}` }
    await sendWell(`${url}${SITE}${path}`, { headers, agent })
    return performance.now() - begun
  }

export const MODERATION_LOG: Row = {
  changes: true,
  lines: [
    {
      row: 'a page of the moderation log among 1 M decisions, the slowest of 6 filters',
      against: 'the same among 10 k; medians',
      goal: atMost(1.5),
    },
    { row: 'statistics of 365 days with 1 M decisions, median', against: '' },
  ],
  run: async (bench) => {
    await seedTrail(bench.big, DECISIONS)
    await seedTrail(bench.small, DECISIONS / 100)
    return using(
      [() => startService(bench, bench.big), () => startService(bench, bench.small)],
      async (big, small) => {
        const agents = [createConnection(), createConnection()] as const
        const ask = asker(big!, agents[0])
        const log = toFigure(await comparePages(ask, asker(small!, agents[1])))
        const spans: Record<number, number[]> = { 30: [], [DAYS]: [] }
        for (let round = 0; round < ROUNDS; round++)
          for (const days of [30, DAYS]) spans[days]!.push(await ask(`/stats?days=${days}`))
        for (const agent of agents) agent.destroy()
        return [log, toYear(spans)]
      },
    )
  },
}
