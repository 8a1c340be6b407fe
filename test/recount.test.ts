import { sql } from 'kysely'
import t from 'tap'
import { recount } from './recount.ts'
import { openService, type TestService } from './service.ts'

/** Root ← reply ← nested; the reply is a tombstone. */
const plant = async ({ post, decide }: TestService) => {
  const root = await post('a', 'root')
  const reply = await post('a', 'reply', { parent_id: root.id })
  await post('a', 'nested', { parent_id: reply.id })
  await post('a', 'another root')
  await decide(reply.id, 'approved', 'spam')
}

t.test('recount finds no difference in a sound database', async (t) => {
  const service = await openService(t)
  t.same(await recount(service.db), [], 'empty')
  await plant(service)
  t.same(await recount(service.db), [])
})

const CORRUPTIONS = [
  [
    'comment_count',
    'update threads set comment_count = comment_count + 1',
    'thread 1: comment_count is 4, counted 3',
  ],
  ['root_count', 'update threads set root_count = 0', 'thread 1: root_count is 0, counted 2'],
  [
    'last_comment_at',
    'update threads set last_comment_at = null',
    /^thread 1: last_comment_at is null, counted 20/,
  ],
  [
    'version',
    'update threads set version = 0',
    'thread 1: lack of a version is false, counted true',
  ],
  [
    'reply_count',
    'update comment_tallies set reply_count = 2 where comment_id = 1',
    'comment 1: reply_count is 2, counted 1',
  ],
  [
    'reply_count of a leaf',
    'update comment_tallies set reply_count = 1 where comment_id = 3',
    'comment 3: reply_count is 1, counted 0',
  ],
  [
    'shown',
    'update comment_tallies set reply_count = 0 where comment_id = 2',
    'comment 2: shown is false, counted true',
  ],
  [
    'active_at',
    "update comment_tallies set active_at = active_at + interval '1 ms' where comment_id = 1",
    /^comment 1: active_at is .*, counted 20/,
  ],
  [
    'parent of a tally',
    'update comment_tallies set parent_id = 0 where comment_id = 2',
    'comment 2: parent of the tally is 0, counted 1',
  ],
  [
    'visibility of a tally',
    'update comment_tallies set is_visible = false where comment_id = 4',
    'comment 4: visible is false, counted true',
  ],
  [
    'an absent tally',
    'delete from comment_tallies where comment_id = 4',
    'comment 4: tally is true, counted false',
  ],
  [
    'depth',
    'update comments set depth = 3 where id = 3',
    'comment 3: depth below its parents in this thread is 3, counted 2',
  ],
  [
    'status',
    "update comments set status = 'rejected' where id = 4",
    'thread 1: comment_count is 3, counted 2',
  ],
  [
    'revision',
    'update comments set revision = 2 where id = 4',
    'comment 4: revision is 2, counted 1',
  ],
  [
    'published_at',
    'update comments set published_at = null where id = 4',
    'comment 4: lack of published_at is false, counted true',
  ],
  [
    'an absent parent',
    'with k as (delete from comment_tallies where comment_id = 2) delete from comments where id = 2',
    'comment 3: depth below its parents in this thread is 2, counted nothing',
  ],
  [
    'a parent in another thread',
    "with b as (insert into threads (site_id, article_id) values (1, 'b') returning id) update comments set thread_id = b.id from b where comments.id = 2",
    'comment 3: depth below its parents in this thread is 2, counted nothing',
  ],
] as const

t.test('recount names each wrong count', async (t) => {
  const service = await openService(t)
  await plant(service)
  for (const [figure, statement, difference] of CORRUPTIONS) {
    const told = await recountWith(service, statement)
    const found = told.some((s) =>
      typeof difference === 'string' ? s === difference : difference.test(s),
    )
    t.ok(found, figure, { told, difference: String(difference) })
  }
  t.same(await recount(service.db), [], 'and right again')
})

/** The result of a recount after a statement, which is rolled back. */
const recountWith = async ({ db }: TestService, statement: string): Promise<string[]> => {
  let told: string[] = []
  const undo = new Error('undo')
  const corrupted = db.transaction().execute(async (tx) => {
    await sql.raw(statement).execute(tx)
    told = await recount(tx)
    throw undo
  })
  await corrupted.catch((error) => {
    if (error !== undo) throw error
  })
  return told
}
