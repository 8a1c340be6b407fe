import { type Bench, startService, using } from '../bench.ts'
import {
  alternate,
  loadSide,
  ratioOfSides,
  type Side,
  sayAutocannon,
  sayRates,
} from '../compare.ts'
import { atLeast } from '../figures.ts'
import type { Trial } from '../load/trial.ts'
import { articlesOf, RECENT, threadPath, WHOLE, walkRecent, wholePages } from '../pages.ts'
import { createRandom, shuffle } from '../random.ts'
import type { Figure, Row } from '../row.ts'
import { sendWell } from '../servers/http.ts'
import { pgbenchSide, sayPgbench } from '../sql/pgbench.ts'
import { recordStatements } from '../sql/recording.ts'
import { type Script, type Statement, toScript } from '../sql/statements.ts'

const CLIENTS = 16
/** A rate above the largest rate of built pages. */
const MOST_RATE = 1_500
/** Node compiles the code that builds a page during the first 1,000 pages. */
const WARM_SECONDS = 5
const SAMPLE = 1_234
const AGAINST = 'pgbench with the same SQL, prepared, as many clients'

/** The statement of a page is long. Other statements, such as the one for versions, are short. */
const pageStatement = (sessions: readonly Statement[][]): Statement => {
  const reads = sessions.flat().filter(({ text }) => /\bcomments c\b/.test(text))
  const [longest] = reads.toSorted((a, b) => b.text.length - a.text.length)
  if (!longest) throw new Error('the statement that reads the page was not seen')
  return longest
}

/** Compares uncached pages with their SQL alone. Without pgbench it measures only the service. */
const compareWithSql = async (
  bench: Bench,
  ours: Side,
  { name, script, command, note }: { name: string; script: Script; command: string; note: string },
): Promise<Figure> => {
  const { folder, seconds, pgbench } = bench
  const { url } = bench.big
  const theirs = pgbenchSide({ url, folder, name, script, clients: CLIENTS })
  const sides = pgbench ? [ours, theirs] : [ours]
  const rates = await alternate({ ...bench, warmSeconds: WARM_SECONDS }, sides)
  const both = `${command}; ${sayPgbench({ name, clients: CLIENTS, seconds })}`
  const rest = { command: both, note: `${sayRates(sides, rates)}. ${note}` }
  if (pgbench) return { ...ratioOfSides(rates, 0, 1), ...rest }
  return { value: null, holds: null, ...rest, note: `No pgbench on the PATH. ${rest.note}` }
}

/** Takes the next requests from a list without repetition. */
const createTaker = (paths: Iterator<string>) => (count: number) => {
  const asks: { path: string }[] = []
  for (let next = paths.next(); asks.length < count && !next.done; next = paths.next())
    asks.push({ path: next.value })
  return asks
}

const assertNoneTwice =
  (asked: () => number) =>
  ({ answers }: Trial): void => {
    if (answers > asked())
      throw new Error(`${answers} answers from ${asked()} pages: some were cached`)
  }

export const COLD: Row = {
  lines: [{ row: 'thread of 100, cold, identity', against: AGAINST, goal: atLeast(0.6) }],
  run: async (bench) => {
    const { big, seconds } = bench
    const sessions = await recordStatements(bench, big, (url, isSeen) =>
      sendWell(`${url}${threadPath(isSeen ? SAMPLE : SAMPLE + 1, WHOLE)}`),
    )
    const script = toScript([pageStatement(sessions)], {
      setUp: [`\\set thread random(1, ${big.threads})`],
      bind: (value) => (value === String(SAMPLE) ? ':thread' : undefined),
    })
    return using([() => startService(bench, big)], async (service) => {
      const take = createTaker(wholePages(shuffle(articlesOf(big), createRandom(4))))
      let asks: { path: string }[] = []
      const ours = loadSide(bench, {
        name: 'service',
        server: service!,
        status: 200,
        job: () => {
          asks = take(Math.round(Math.max(seconds, WARM_SECONDS) * MOST_RATE))
          return { connections: CLIENTS, asks }
        },
        check: assertNoneTwice(() => asks.length),
      })
      const command = sayAutocannon(
        CLIENTS,
        seconds,
        `'${threadPath(0, WHOLE).replace('/0/', '/N/')}'`,
      )
      const note = `Each of ${big.threads} threads in turn, no page twice.`
      return [await compareWithSql(bench, ours, { name: 'thread', script, command, note })]
    })
  },
}

/** The service caches a list of the site for at most one second. */
const REMEMBERED_SECONDS = 1
const CURSORS = 3_000

export const RECENT_UNCACHED: Row = {
  lines: [{ row: 'recent 20, uncached', against: AGAINST, goal: atLeast(0.2) }],
  run: (bench) =>
    using([() => startService(bench, bench.big)], async (service) => {
      const paths = await walkRecent(service!.url, CURSORS)
      const middle = Math.floor(paths.length / 2)
      const sessions = await recordStatements(bench, bench.big, (url, isSeen) =>
        sendWell(`${url}${paths[isSeen ? middle : middle + 1]}`),
      )
      const [begun, ended] = bench.big.published
      const script = toScript([pageStatement(sessions)], {
        setUp: [`\\set at random(${begun}, ${ended})`],
        bind: (value) => (TIME.test(value) ? 'to_timestamp(:at)' : undefined),
      })
      const asks = shuffle(paths.slice(1), createRandom(5)).map((path) => ({ path }))
      const ours = loadSide(bench, {
        name: 'service',
        server: service!,
        status: 200,
        job: () => ({ connections: CLIENTS, asks }),
        check: ({ rate }) => {
          const again = asks.length / rate
          if (again < REMEMBERED_SECONDS)
            throw new Error(`each page came again after ${again} s: some were cached`)
        },
      })
      const command = sayAutocannon(CLIENTS, bench.seconds, `'${RECENT}&cursor=…'`)
      const note = `${asks.length} pages, in no order.`
      return [await compareWithSql(bench, ours, { name: 'recent', script, command, note })]
    }),
}

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:/
