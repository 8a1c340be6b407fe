import { randomUUID } from 'node:crypto'
import { IDS } from '../../test/ids.ts'
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
import type { Ask } from '../load/trial.ts'
import { ARTICLES, articlesOf } from '../pages.ts'
import { createRandom, shuffle } from '../random.ts'
import type { Row } from '../row.ts'
import { writeTexts } from '../seed/texts.ts'
import { sendWell } from '../servers/http.ts'
import type { Running } from '../servers/processes.ts'
import { pgbenchSide, sayPgbench } from '../sql/pgbench.ts'
import { recordStatements } from '../sql/recording.ts'
import { type Script, type Statement, toScript } from '../sql/statements.ts'

const CLIENTS = 16
const WRITERS = 32
const THREADS = 1_000
const SAMPLE = 1_234
const CREATED = 201

/** More posts than a trial sends: an equal text in the same thread would only repeat the first comment. */
const POSTS_OF_TRIAL = 10_000
const TEXTS = writeTexts()

/** A request with a text that no other has. */
const createBody = () => {
  const texts = [0, 1].map(() => TEXTS[Math.floor(Math.random() * TEXTS.length)]!.body)
  return { body: `${texts.join(' ')} ${randomUUID()}`, author: { name: 'Ada' } }
}

const createAsks = (articles: readonly number[]): Ask[] =>
  Array.from({ length: POSTS_OF_TRIAL }, (_, n) => ({
    path: pathOf(articles[n % articles.length]!),
    body: JSON.stringify(createBody()),
  }))

const pathOf = (article: number): string => `${ARTICLES}/${article}/comments`

const postSide = (
  bench: Bench,
  server: Running,
  { name, clients, articles }: { name: string; clients: number; articles: readonly number[] },
): Side => {
  const job = () => ({
    connections: clients,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    asks: createAsks(articles),
  })
  return loadSide(bench, { name, server, status: CREATED, job })
}

const someThreads = (bench: Bench): number[] =>
  shuffle(articlesOf(bench.big), createRandom(6)).slice(0, THREADS)

const sayPosts = (clients: number, seconds: number, article: string) =>
  sayAutocannon(
    clients,
    seconds,
    `-m POST '${ARTICLES}/${article}/comments', each with a text of its own`,
  )

type Recorded = { readonly whole: Script; readonly insert: Script; readonly statements: number }

const isInto =
  (table: string) =>
  ({ text }: Statement) =>
    new RegExp(`\\binsert\\s+into\\s+"?${table}"?\\s`, 'i').test(text)

/** The statements of one post, recorded from the service, with any thread and a new author each time. */
const recordPost = async (bench: Bench): Promise<Recorded> => {
  let author: number | undefined
  const sessions = await recordStatements(bench, bench.big, async (url) => {
    const { body } = await sendWell(`${url}${pathOf(SAMPLE)}`, { json: createBody() })
    author = IDS.read('author', JSON.parse(body.toString()).author.id)
  })
  const session = sessions.find((statements) => statements.some(isInto('comments')))
  if (!session) throw new Error('no insert of a comment was seen')
  const begin = session.findIndex(({ text }) => /^(begin|start transaction)\b/i.test(text))
  const end = session.findIndex(({ text }) => /^commit\b/i.test(text))
  const statements = session.slice(begin, end + 1)
  const setUp = [`\\set thread random(1, ${THREADS})`]
  const newAuthor = (value: string) => (value === String(author) ? ':author_id' : undefined)
  const thread = (value: string) => (value === String(SAMPLE) ? ':thread' : undefined)
  const keep = (statement: Statement) =>
    isInto('authors')(statement) && /\breturning\b/i.test(statement.text) ? 'author_' : undefined
  const isKept = statements.some((statement) => keep(statement) !== undefined)
  return {
    whole: toScript(statements, {
      setUp,
      bind: (value) => thread(value) ?? (isKept ? newAuthor(value) : undefined),
      keep,
    }),
    insert: toScript(statements.filter(isInto('comments')).slice(0, 1), { setUp, bind: thread }),
    statements: statements.length,
  }
}

const POSTS_AGAINST = 'pgbench with the same statements in one transaction, as many clients'

export const POSTS: Row = {
  changes: true,
  lines: [
    { row: 'post into many threads', against: POSTS_AGAINST, goal: atLeast(0.5) },
    {
      row: 'post into many threads, and an insert alone',
      against: 'pgbench with the insert of the comment and nothing else',
    },
  ],
  run: async (bench) => {
    const { folder, seconds, pgbench } = bench
    const recorded = pgbench && (await recordPost(bench))
    return using([() => startService(bench, bench.big)], async (service) => {
      const articles = someThreads(bench)
      const sides = [postSide(bench, service!, { name: 'service', clients: CLIENTS, articles })]
      if (recorded) {
        const run = { url: bench.big.url, folder, clients: CLIENTS }
        sides.push(pgbenchSide({ ...run, name: 'post', script: recorded.whole }))
        sides.push(pgbenchSide({ ...run, name: 'insert', script: recorded.insert }))
      }
      const rates = await alternate(bench, sides)
      const note = `${sayRates(sides, rates)}.`
      const how = sayPosts(CLIENTS, seconds, 'N')
      const commandOf = (name: string) =>
        `${how}; ${sayPgbench({ name, clients: CLIENTS, seconds })}`
      if (!recorded) {
        const none = { value: null, holds: null, note: `No pgbench on the PATH. ${note}` }
        return [
          { ...none, command: how },
          { ...none, command: how },
        ]
      }
      const said = `${note} ${recorded.statements} statements, fsync on.`
      return [
        { ...ratioOfSides(rates, 0, 1), command: commandOf('post'), note: said },
        {
          ...ratioOfSides(rates, 0, 2),
          command: commandOf('insert'),
          note: 'From the same rounds as the row above.',
        },
      ]
    })
  },
}

export const ONE_THREAD: Row = {
  changes: true,
  lines: [
    {
      row: '32 writers into one thread',
      against: `the same writers spread over ${THREADS} threads`,
      goal: atLeast(0.8),
    },
  ],
  run: (bench) =>
    using([() => startService(bench, bench.big)], async (service) => {
      const [article, ...articles] = someThreads(bench)
      const sides = [
        postSide(bench, service!, { name: 'one thread', clients: WRITERS, articles: [article!] }),
        postSide(bench, service!, { name: 'many threads', clients: WRITERS, articles }),
      ]
      const rates = await alternate(bench, sides)
      const command = sayPosts(WRITERS, bench.seconds, 'N')
      return [{ ...ratioOfSides(rates, 0, 1), command, note: `${sayRates(sides, rates)}.` }]
    }),
}
