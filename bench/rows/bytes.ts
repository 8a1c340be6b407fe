import pg from 'pg'
import { runOnServer, urlOf } from '../../test/servers.ts'
import { type Bench, startService, using } from '../bench.ts'
import { atMost } from '../figures.ts'
import { createRandom } from '../random.ts'
import type { Row } from '../row.ts'
import { writeTexts } from '../seed/texts.ts'
import { createConnection, sendWell } from '../servers/http.ts'

const POSTS = 6_000
const WRITERS = 16
const THREADS = 100
/** Shares of comments: replies, and comments of guests who have commented before. */
const REPLIES = 0.6
const RETURNING = 0.75
const NETWORKS = 200

/** Tables whose rows stay as long as the comment does. */
const LASTING = ['comments', 'comment_tallies']
/** Rows of the last day, and rows until retention. */
const PASSING = ['arrivals', 'comment_addresses']
const ALL = [...LASTING, 'authors', ...PASSING]

type Size = { readonly name: string; readonly heap: number; readonly indexes: number }

/** Posts comments of many guests from many networks into many threads, with replies. */
const post = async (service: string): Promise<void> => {
  const [random, texts] = [createRandom(12), writeTexts()]
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const guests: string[] = []
  const parents = Array.from({ length: THREADS }, (): string[] => [])
  let posted = 0
  const write = async (): Promise<void> => {
    const agent = createConnection()
    while (posted < POSTS) {
      const place = posted++
      const article = Math.floor(random() * THREADS)
      const isReply = parents[article]!.length > 0 && random() < REPLIES
      const isKnown = guests.length > 0 && random() < RETURNING
      const { body } = await sendWell(`${service}/v1/sites/default/articles/${article}/comments`, {
        agent,
        headers: {
          'x-forwarded-for': `198.18.${place % NETWORKS}.1`,
          ...(isKnown && { authorization: `Bearer ${pick(guests)}` }),
        },
        json: {
          body: `${pick(texts).body} ${place}`,
          ...(isReply && { parent_id: pick(parents[article]!) }),
          ...(!isKnown && { author: { name: `Ada ${place}` } }),
        },
      })
      const { id, guest_token } = JSON.parse(body.toString())
      parents[article]!.push(id)
      if (guest_token) guests.push(guest_token)
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
}

const measureSizes = async (url: string): Promise<{ sizes: Size[]; columns: string }> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('vacuum analyze')
    const { rows } = await client.query<Size>(
      `select name, pg_table_size(name::regclass)::float8 / n as heap,
        pg_indexes_size(name::regclass)::float8 / n as indexes
      from unnest($1::text[]) name, (select count(*) as n from comments) c`,
      [ALL],
    )
    const { rows: columns } = await client.query<Record<string, number>>(
      `select avg(pg_column_size(body)) as body, avg(pg_column_size(body_html)) as body_html,
        avg(pg_column_size(packed_facts)) as facts, avg(pg_column_size(packed_trace)) as trace,
        avg(pg_column_size(c.*)) as row from comments c`,
    )
    const said = Object.entries(columns[0]!).map(
      ([name, bytes]) => `${name.replace('_', ' ')} ${Math.round(Number(bytes))}`,
    )
    return { sizes: rows, columns: said.join(', ') }
  } finally {
    await client.end()
  }
}

const sum = (sizes: readonly Size[], names: readonly string[]): number =>
  sizes
    .filter(({ name }) => names.includes(name))
    .reduce((total, { heap, indexes }) => total + heap + indexes, 0)

const saySize = ({ name, heap, indexes }: Size): string =>
  `${name} ${Math.round(heap)} and ${Math.round(indexes)} of indexes`

export const BYTES: Row = {
  changes: true,
  lines: [
    {
      row: 'bytes per comment, as posted',
      against: `comments and their tallies, with indexes, after a vacuum`,
      goal: atMost(1_800),
    },
  ],
  run: async (bench: Bench) => {
    const name = 'bench_bytes'
    await runOnServer(bench.postgres.url, `create database ${name}`)
    const database = { ...bench.small, url: urlOf(bench.postgres.url, name), name }
    const settings = { AFTERWORD_TRUSTED_PROXIES: '127.0.0.1' }
    await using([() => startService(bench, database, settings)], (service) => post(service!.url))
    const { sizes, columns } = await measureSizes(database.url)
    await runOnServer(bench.postgres.url, `drop database ${name}`)
    const passing = Math.round(sum(sizes, PASSING))
    return [
      {
        value: sum(sizes, LASTING),
        command: `POST /v1/sites/default/articles/N/comments, ${POSTS} times; pg_table_size, pg_indexes_size`,
        note: `${sizes.map(saySize).join('; ')}. A row of comments: ${columns}. ${passing} bytes go after a day or with retention.`,
      },
    ]
  },
}
