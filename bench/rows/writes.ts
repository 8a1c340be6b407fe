import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { IDS } from '../../test/ids.ts'
import { ADMIN_KEY, type Bench, startBare, startService, using } from '../bench.ts'
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
import { ARTICLES } from '../pages.ts'
import type { Figure, Row } from '../row.ts'
import { createConnection, sendWell } from '../servers/http.ts'
import type { Running } from '../servers/processes.ts'
import { pgbenchSide, sayPgbench } from '../sql/pgbench.ts'

const WRITERS = 32
const COMMENTS = '/v1/sites/default/comments'
/** More writes than a trial sends. */
const WRITES_OF_TRIAL = 12_000
/** Comments of each writer that the writer edits. */
const OWN_COMMENTS = 20
const OK = 200
const CREATED = 201

/** The rows that the plain updates change. The service does not know this table. */
const PLAIN_ROWS = 100_000
const PLAIN_TABLE = `
  create table if not exists plain_comments (id int primary key, votes int, status text, body text);
  truncate plain_comments;
  insert into plain_comments
  select n, 0, 'approved', repeat('a text of some words ', 6) from generate_series(1, ${PLAIN_ROWS}) n`

/** The one statement of a plain write. */
const plainUpdate = (change: string) => ({
  text: `\\set id random(1, ${PLAIN_ROWS})\nupdate plain_comments set ${change} where id = :id;\n`,
  values: {},
})

/** A guest, and comments that the guest may edit. */
type Writer = { readonly token: string; readonly own: readonly string[] }

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Each writer posts into threads of their own. */
const createWriters = (server: Running, comments: number): Promise<Writer[]> =>
  Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      const agent = createConnection()
      const own: string[] = []
      let token = ''
      for (let n = 0; n < comments; n++) {
        const { body } = await sendWell(`${server.url}${ARTICLES}/edited-${writer}-${n}/comments`, {
          agent,
          json: { body: randomUUID(), ...(n === 0 && { author: { name: 'Ada' } }) },
          ...(token && { headers: bearer(token) }),
        })
        const posted = JSON.parse(body.toString())
        token ||= posted.guest_token
        own.push(posted.id)
      }
      agent.destroy()
      return { token, own }
    }),
  )

/** Ids of comments in threads of 100, in no order; no comment is taken twice. */
const createPick = async ({ big: { url, threads } }: Bench): Promise<() => string[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(PLAIN_TABLE)
  await client.query('vacuum (analyze) plain_comments')
  const { rows } = await client.query<{ id: string; thread_id: string }>(
    `select id, thread_id from comments where site_id = 1 and status = 'approved'
      and thread_id <= $1 order by hashint8(id) limit ${10 * WRITES_OF_TRIAL}`,
    [threads],
  )
  await client.end()
  return () =>
    rows
      .splice(-WRITES_OF_TRIAL)
      .map((row) => IDS.writeComment({ threadId: Number(row.thread_id), id: Number(row.id) }))
}

type Kind = {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly status: number
  /** What the plain update sets. */
  readonly plain: string
  /** Comments that each writer posts before the trials. */
  readonly own: number
  /** The requests of a trial. */
  readonly asks: (writers: readonly Writer[], pick: () => string[]) => Ask[]
}

const VOTES: Kind = {
  name: 'vote',
  method: 'PUT',
  path: `${COMMENTS}/ID/vote`,
  status: OK,
  plain: 'votes = votes + 1',
  own: 1,
  asks: (writers, pick) =>
    pick().map((id, n) => ({
      path: `${COMMENTS}/${id}/vote`,
      headers: bearer(writers[n % WRITERS]!.token),
      body: JSON.stringify({ value: n % 3 === 0 ? -1 : 1 }),
    })),
}

const DECISIONS: Kind = {
  name: 'decision',
  method: 'POST',
  path: `${COMMENTS}/ID/decisions`,
  status: CREATED,
  plain: "status = 'rejected'",
  own: 1,
  asks: (_, pick) =>
    pick().map((id) => ({
      path: `${COMMENTS}/${id}/decisions`,
      headers: bearer(ADMIN_KEY),
      body: JSON.stringify({ from: 'approved', to: 'rejected' }),
    })),
}

const EDITS: Kind = {
  name: 'edit',
  method: 'PATCH',
  path: `${COMMENTS}/ID`,
  status: OK,
  plain: "body = repeat('another text of words', 6)",
  own: OWN_COMMENTS,
  asks: (writers) =>
    Array.from({ length: WRITES_OF_TRIAL }, (_, n) => {
      const { own, token } = writers[n % WRITERS]!
      return {
        path: `${COMMENTS}/${own[Math.floor(n / WRITERS) % own.length]}`,
        headers: bearer(token),
        body: JSON.stringify({ body: `I have *thought* about it again: ${randomUUID()}` }),
      }
    }),
}

/** A bare route that runs one plain update for each request: as much as an HTTP service can reach. */
const startBareUpdates = (bench: Bench, { plain }: Kind): Promise<Running> => {
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  return startBare(bench, { body: Buffer.from('{"value":1}'), headers }, 'warn', {
    DATABASE_URL: bench.big.url,
    UPDATE: `update plain_comments set ${plain} where id = $1`,
    ROWS: String(PLAIN_ROWS),
    CONNECTIONS: String(WRITERS),
  })
}

/** Measures one kind of write beside plain updates, of pgbench and of a bare route. */
const compare =
  (kind: Kind) =>
  async (bench: Bench): Promise<Figure[]> => {
    const { folder, seconds, pgbench, big } = bench
    const pick = await createPick(bench)
    const starts = [() => startService(bench, big), () => startBareUpdates(bench, kind)]
    return using(starts, async (service, bare) => {
      const writers = await createWriters(service!, kind.own)
      const { name, method, status } = kind
      const jobOf = (asks: Ask[]) => ({
        connections: WRITERS,
        method,
        headers: { 'content-type': 'application/json' },
        asks,
      })
      const job = () => jobOf(kind.asks(writers, pick))
      const repeated = job()
      const sides: Side[] = [
        loadSide(bench, { name: 'service', server: service!, status, job }),
        loadSide(bench, { name: 'bare route', server: bare!, status: OK, job: () => repeated }),
      ]
      const script = plainUpdate(kind.plain)
      if (pgbench) sides.push(pgbenchSide({ url: big.url, folder, clients: WRITERS, name, script }))
      const rates = await alternate(bench, sides)
      const how = sayAutocannon(WRITERS, seconds, `-m ${method} '${kind.path}'`)
      const note = `${sayRates(sides, rates)}.`
      if (!pgbench)
        return [{ value: null, holds: null, command: how, note: `No pgbench on the PATH. ${note}` }]
      const command = `${how}; ${sayPgbench({ name, clients: WRITERS, seconds })}`
      return [{ ...ratioOfSides(rates, 0, 2), command, note: `${note} fsync on.` }]
    })
  }

const rowOf = (row: string, kind: Kind): Row => ({
  changes: true,
  lines: [
    {
      row,
      against: 'pgbench with a plain update of one row of a table of its own, as many clients',
      goal: atLeast(0.3),
    },
  ],
  run: compare(kind),
})

export const VOTES_BESIDE_UPDATES = rowOf('votes on comments of many threads', VOTES)
export const DECISIONS_BESIDE_UPDATES = rowOf('decisions on comments of many threads', DECISIONS)
export const EDITS_BESIDE_UPDATES = rowOf('edits of comments of many threads', EDITS)
