import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type Bench, startService, using } from '../bench.ts'
import {
  alternate,
  type LoadSide,
  loadSide,
  ratioOfSides,
  type Side,
  sayAutocannon,
  sayRates,
} from '../compare.ts'
import { atLeast, atMost, median, type Spread, say, spreadOf } from '../figures.ts'
import type { Ask, Trial } from '../load/trial.ts'
import { ARTICLES, articlesOf } from '../pages.ts'
import { createRandom, shuffle } from '../random.ts'
import type { Row } from '../row.ts'
import { writeTexts } from '../seed/texts.ts'
import { createConnection, sendWell } from '../servers/http.ts'
import { familySeconds, processorSeconds, type Running } from '../servers/processes.ts'
import { pgbenchSide, sayPgbench } from '../sql/pgbench.ts'

const WRITERS = 32
const THREADS = 50
const MANY_THREADS = 1_000
const CREATED = 201
const MILLISECONDS = 1_000

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
  { name, articles, check }: Pick<LoadSide, 'name' | 'check'> & { articles: readonly number[] },
): Side => {
  const job = () => ({
    connections: WRITERS,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    asks: createAsks(articles),
  })
  return loadSide(bench, { name, server, status: CREATED, job, check })
}

const someThreads = (bench: Bench, count: number): number[] =>
  shuffle(articlesOf(bench.big), createRandom(6)).slice(0, count)

const sayPosts = (clients: number, seconds: number) =>
  sayAutocannon(clients, seconds, `-m POST '${ARTICLES}/N/comments', each with a text of its own`)

/** Tables that the service does not know: a comment is a text and an author, and its thread counts it. */
const PLAIN_TABLES = `
  create table if not exists plain_threads (id int primary key, posts int not null);
  create table if not exists plain_posts (id bigint generated always as identity primary key,
    thread_id int not null, author text not null, body text not null,
    created_at timestamptz not null default now());
  truncate plain_threads, plain_posts;
  insert into plain_threads select n, 0 from generate_series(1, ${THREADS}) n`

const PLAIN_POST = {
  text: `\\set thread random(1, ${THREADS})
begin;
insert into plain_posts (thread_id, author, body) values (:thread, :author, :body);
update plain_threads set posts = posts + 1 where id = :thread;
commit;
`,
  values: { author: 'Ada', body: createBody().body },
}

const createPlainTables = async ({ big }: Bench): Promise<void> => {
  const client = new pg.Client({ connectionString: big.url })
  await client.connect()
  try {
    await client.query(PLAIN_TABLES)
  } finally {
    await client.end()
  }
}

const PLAIN = 'a plain insert of text and author with the counter of its thread, in one transaction'

/**
 * Posts, and measures the processor time of the service and of all processes of Postgres for each post.
 * @param costs gets the milliseconds of each trial
 */
const postCountingProcessors = (bench: Bench, service: Running, costs: number[]): Side => {
  let posts = 0
  const articles = someThreads(bench, THREADS)
  const check = (trial: Trial) => {
    posts = trial.answers
  }
  const side = postSide(bench, service, { name: 'service', articles, check })
  const used = () => processorSeconds(service.pid) + familySeconds(bench.postgres.pid)
  const run = async (seconds: number): Promise<number> => {
    const before = used()
    const rate = await side.run(seconds)
    costs.push(((used() - before) * MILLISECONDS) / posts)
    return rate
  }
  return { ...side, run }
}

const NO_PGBENCH = { value: null, holds: null } as const

export const POSTS: Row = {
  changes: true,
  lines: [
    {
      row: `post into ${THREADS} threads, ${WRITERS} writers`,
      against: `pgbench: ${PLAIN}, as many clients`,
      goal: atLeast(0.2),
    },
    {
      row: 'processor for one post, service and Postgres together',
      against: '',
      goal: atMost(1),
    },
  ],
  run: async (bench) => {
    const { folder, seconds, pgbench } = bench
    await createPlainTables(bench)
    return using([() => startService(bench, bench.big)], async (service) => {
      const costs: number[] = []
      const sides = [postCountingProcessors(bench, service!, costs)]
      const run = { url: bench.big.url, folder, name: 'post', clients: WRITERS }
      if (pgbench) sides.push(pgbenchSide({ ...run, script: PLAIN_POST }))
      const rates = await alternate(bench, sides)
      const how = sayPosts(WRITERS, seconds)
      const note = `${sayRates(sides, rates)}. fsync on.`
      // The first run is the warm-up.
      const cost = {
        ...spreadOf(costs.slice(1)),
        unit: 'ms',
        command: how,
        note: 'From the same rounds.',
      }
      if (!pgbench)
        return [{ ...NO_PGBENCH, command: how, note: `No pgbench on the PATH. ${note}` }, cost]
      const command = `${how}; ${sayPgbench({ name: 'post', clients: WRITERS, seconds })}`
      return [{ ...ratioOfSides(rates, 0, 1), command, note }, cost]
    })
  },
}

const POSTS_ALONE = 200

/** The times of posts that are sent one after the other, in milliseconds. */
const timePosts = async ({ url }: Running, articles: readonly number[]): Promise<number[]> => {
  const agent = createConnection()
  const times: number[] = []
  for (let n = 0; n < POSTS_ALONE; n++) {
    const json = createBody()
    const begun = performance.now()
    await sendWell(`${url}${pathOf(articles[n % articles.length]!)}`, { agent, json })
    times.push(performance.now() - begun)
  }
  agent.destroy()
  return times
}

export const LONE_WRITER: Row = {
  changes: true,
  lines: [
    {
      row: 'one writer alone, post p50',
      against: `beside it, pgbench: ${PLAIN}, one client`,
      goal: atMost(2.5),
    },
  ],
  run: async (bench) => {
    const { folder, seconds, rounds, pgbench } = bench
    await createPlainTables(bench)
    return using([() => startService(bench, bench.big)], async (service) => {
      const articles = someThreads(bench, THREADS)
      await timePosts(service!, articles)
      const run = { url: bench.big.url, folder, name: 'post', clients: 1 }
      const plain = pgbenchSide({ ...run, script: PLAIN_POST })
      const medians: number[] = []
      const plains: number[] = []
      for (let round = 0; round < rounds; round++) {
        medians.push(median(await timePosts(service!, articles)))
        if (pgbench) plains.push(MILLISECONDS / (await plain.run(seconds)))
      }
      const said = ({ value, low, high }: Spread) => `${say(value)} ms (${say(low)}–${say(high)})`
      return [
        {
          ...spreadOf(medians),
          unit: 'ms',
          command: `POST '${ARTICLES}/N/comments', ${POSTS_ALONE} one after the other; ${sayPgbench({ name: 'post', clients: 1, seconds })}`,
          note: pgbench
            ? `The plain transaction takes ${said(spreadOf(plains))} on average. fsync on.`
            : 'No pgbench on the PATH.',
        },
      ]
    })
  },
}

export const ONE_THREAD: Row = {
  changes: true,
  lines: [
    {
      row: `${WRITERS} writers into one thread`,
      against: `the same writers spread over ${MANY_THREADS} threads`,
      goal: atLeast(0.8),
    },
  ],
  run: (bench) =>
    using([() => startService(bench, bench.big)], async (service) => {
      const [article, ...articles] = someThreads(bench, MANY_THREADS + 1)
      const sides = [
        postSide(bench, service!, { name: 'one thread', articles: [article!] }),
        postSide(bench, service!, { name: 'many threads', articles }),
      ]
      const rates = await alternate(bench, sides)
      const command = sayPosts(WRITERS, bench.seconds)
      return [{ ...ratioOfSides(rates, 0, 1), command, note: `${sayRates(sides, rates)}.` }]
    }),
}
