import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { IDS } from '../../test/ids.ts'
import { ADMIN_KEY, type Bench, startService, using } from '../bench.ts'
import { atMost, say } from '../figures.ts'
import type { Row } from '../row.ts'
import { THREAD } from '../seed/seed.ts'
import { sendWell } from '../servers/http.ts'

const MODERATION = '/v1/sites/default/moderation'
/** The author of the decided comments, who has few others. */
const AUTHOR = 7
/** The share of all comments that are decided on, in whole threads. */
const SHARE = 0.1
const POLL_MS = 50

type Batch = { readonly id: string; readonly changed: number; readonly ended_at: string | null }

/** Resolves when a batch has ended. @returns seconds */
const runBatch = async (
  url: string,
  path: string,
  json?: unknown,
): Promise<{ seconds: number; batch: Batch }> => {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` }
  const begun = performance.now()
  const { body } = await sendWell(`${url}${MODERATION}${path}`, { method: 'POST', headers, json })
  let { batch }: { batch: Batch } = JSON.parse(body.toString())
  while (batch.ended_at === null) {
    await sleep(POLL_MS)
    const read = await sendWell(`${url}${MODERATION}/batches/${batch.id}`, { headers })
    batch = JSON.parse(read.body.toString())
  }
  return { seconds: (performance.now() - begun) / 1000, batch }
}

/** Gives all comments of the first threads to one author. @returns the number of the author's comments */
const gatherComments = async (client: pg.Client, { big }: Bench): Promise<number> => {
  const threads = Math.round((big.comments * SHARE) / THREAD)
  await client.query('update comments set author_id = $1 where site_id = 1 and thread_id <= $2', [
    AUTHOR,
    threads,
  ])
  await client.query('vacuum (analyze) comments')
  const { rows } = await client.query<{ number: string }>(
    "select count(*) as number from comments where site_id = 1 and author_id = $1 and status = 'approved'",
    [AUTHOR],
  )
  return Number(rows[0]!.number)
}

/** Updates the statuses of the same rows in one statement, and back. @returns seconds */
const updatePlainly = async (client: pg.Client): Promise<number> => {
  const begun = performance.now()
  for (const [from, to] of [
    ['approved', 'rejected'],
    ['rejected', 'approved'],
  ])
    await client.query(
      'update comments set status = $2 where site_id = 1 and author_id = $3 and status = $1',
      [from, to, AUTHOR],
    )
  return (performance.now() - begun) / 1000
}

export const LARGE_BATCH: Row = {
  changes: true,
  lines: [
    {
      row: 'a tenth of all comments rejected by a filter, and the undo',
      against: 'one update of the status of the same rows, and one back; times',
      goal: atMost(10),
    },
  ],
  run: async (bench) => {
    const client = new pg.Client({ connectionString: bench.big.url })
    await client.connect()
    try {
      const number = await gatherComments(client, bench)
      return await using([() => startService(bench, bench.big)], async (service) => {
        const { url } = service!
        const filter = { status: ['approved'], author_id: IDS.write('author', AUTHOR) }
        const decided = await runBatch(url, '/decisions', {
          filter,
          expected_count: number,
          to: 'rejected',
        })
        const undone = await runBatch(url, `/batches/${decided.batch.id}/undos`)
        const isWhole = decided.batch.changed === number && undone.batch.changed === number
        const plain = await updatePlainly(client)
        return [
          {
            value: (decided.seconds + undone.seconds) / plain,
            command: `POST ${MODERATION}/decisions with a filter by author; POST …/batches/ID/undos`,
            note:
              `${number} comments: decisions ${say(decided.seconds)} s, undo ${say(undone.seconds)} s, ` +
              `the two updates ${say(plain)} s.`,
            ...(!isWhole && { holds: false as const }),
          },
        ]
      })
    } finally {
      await client.end()
    }
  },
}
