import pg from 'pg'
import t, { type Test } from 'tap'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import {
  listDecisions,
  type ModerationLogRequest,
} from '../../src/postgres/moderation/moderation-log.ts'
import { createDatabase } from '../servers.ts'
import { explain } from './explaining.ts'

/**
 * Plans of a page of the moderation log. The tests assert index and rows, never time; the times are
 * printed. Of the moderators one is busy and one has not been seen for long; so is an article.
 */
const COUNT = 60_000
const SEED = `
  insert into sites (slug, name) values ('default', 'Default');
  insert into threads (site_id, article_id) select 1, 'a' || n from generate_series(1, 300) n;
  insert into decisions (site_id, action, thread_id, comment_id, from_status, to_status, author_id, batch_id,
    decided_by, decided_at)
  select 1, case n % 500 when 0 then 'pin' else 'status' end::decision_action,
    case when n < 50 then 300 else 1 + n % 299 end, 1 + n / 3,
    case when n % 500 > 0 then 'pending'::comment_status end,
    case when n % 500 > 0 then 'approved'::comment_status end,
    case when n < 50 then 999 else 1 + n % 700 end, case when n between 30000 and 35000 then 7 end,
    case when n < 50 then 'k2' else 'k1' end, timestamptz '2026-01-01Z' + n * interval '1 minute'
  from generate_series(1, ${COUNT}) n;
  analyze decisions; analyze threads`

const openTrail = async (t: Test): Promise<Db> => {
  const { url } = await createDatabase(t)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(SEED)
  await client.end()
  const { db, close } = createDb({ url, max: 2, onError: () => {} })
  t.teardown(close)
  return db
}

type Case = [name: string, index: string, filter: Partial<ModerationLogRequest>]

const CASES: Case[] = [
  ['all', 'decisions_pkey', {}],
  ['a comment', 'decisions_of_comment', { comment: { threadId: 1, id: 9 } }],
  ['a batch', 'decisions_of_batch', { batchId: 7 }],
  ['an author', 'decisions_of_author', { authorId: 5 }],
  ['an author of long ago', 'decisions_of_author', { authorId: 999 }],
  ['an article', 'decisions_of_thread', { articleId: 'a5' }],
  ['an article of long ago', 'decisions_of_thread', { articleId: 'a300' }],
  ['a busy moderator', 'decisions_by', { by: 'k1' }],
  ['a moderator of long ago', 'decisions_by', { by: 'k2' }],
  ['somebody who never decided', 'decisions_by', { by: 'k9' }],
  ['what is rare', 'decisions_rare', { action: 'pin' }],
  ['what never was', 'decisions_rare', { action: 'ban' }],
  ['some days', 'decisions_pkey', { since: '2026-01-10T00:00:00Z', until: '2026-01-11T00:00:00Z' }],
  ['a moderator in an article', 'decisions_of_thread', { by: 'k2', articleId: 'a7' }],
]

t.test('each filter of the audit trail reads the range of an index, and no more', async (t) => {
  const db = await openTrail(t)
  for (const [name, index, filter] of CASES)
    for (const beforeId of [null, COUNT / 2]) {
      const request = { siteId: 1, beforeId, limit: 20, ...filter }
      const ask = (db: Db) => listDecisions(db, request)
      const { nodes, rows, ms } = await explain(db, ask, 'decisions')
      const indexes = nodes.map((node) => node['Index Name'])
      t.comment(`${name}: ${ms.toFixed(2)} ms, ${rows} rows`)
      t.ok(indexes.includes(index), `${name}: by ${index}, of ${indexes.join()}`)
      t.notOk(
        nodes.some(
          (node) =>
            /Seq Scan|Bitmap/.test(node['Node Type']) && node['Relation Name'] === 'decisions',
        ),
        `${name}: no scan of the table`,
      )
      t.ok(rows <= 1_100, `${name}: ${rows} rows`)
    }
})
