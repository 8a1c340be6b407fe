import { sql } from 'kysely'
import t from 'tap'
import { runDue, runJobs } from '../jobs.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

const SITE = '/v1/sites/default'

const remove = (service: TestService, body: object) =>
  service.call('POST', `${SITE}/articles/a/deletions`, { token: service.adminKey, body })

/** Three comments, one of them held, with a vote, a flag, an edit and a claim. */
const fill = async (service: TestService) => {
  const comment = await service.post('a', 'first', { article: { title: 'Old' } })
  const reply = await service.post('a', 'second', { parent_id: comment.id })
  const held = await service.post('a', 'held')
  await service.decide(held.id, 'approved', 'pending')
  const token = reply.guest_token
  const send = (method: string, path: string, body: object, by = token) =>
    service.call(method, `${SITE}${path}`, { token: by, body })
  await send('PUT', `/comments/${comment.id}/vote`, { value: 1 })
  await send('POST', `/comments/${comment.id}/flags`, { reason: 'spam' })
  await send('PATCH', `/comments/${reply.id}`, { body: 'edited' })
  await send('POST', '/moderation/claims', { comment_ids: [held.id] }, service.adminKey)
  return { comment, reply, token }
}

/**
 * The number of rows of a thread in every table with threads, but in the log of decisions and in the order in which
 * comments became visible, which keeps the ids of comments and nothing else of them.
 */
const rowsOf = async ({ db }: TestService, threadId: number): Promise<Record<string, number>> => {
  const { rows } = await sql<{ name: string }>`
    select relname::text as name from pg_class join pg_attribute on attrelid = pg_class.oid
    where attname = 'thread_id' and relkind = 'r' and relnamespace = 'public'::regnamespace
      and relname not in ('decisions', 'batch_items', 'new_appearances', 'appearances')`.execute(db)
  const counts: Record<string, number> = {}
  for (const { name } of rows) {
    const found = await sql<{ n: number }>`
      select count(*)::int as n from ${sql.table(name)} where thread_id = ${threadId}`.execute(db)
    if (found.rows[0]!.n > 0) counts[name] = found.rows[0]!.n
  }
  return counts
}

const threadIdOf = async ({ db }: TestService): Promise<number> => {
  const { rows } = await sql<{ id: number }>`
    select id from threads where article_id = 'a'`.execute(db)
  return rows[0]!.id
}

t.test('a deleted thread is gone immediately, and the job leaves no row of it', async (t) => {
  const service = await openService(t)
  const { comment, token } = await fill(service)
  await service.post('b', 'elsewhere')
  const threadId = await threadIdOf(service)
  t.match(await remove(service, { dry_run: true }), {
    status: 200,
    body: { dry_run: true, comments: 3, authors: 3, votes: 1 },
  })
  t.match(await remove(service, {}), {
    status: 400,
    body: { errors: [{ pointer: '/expected_count' }] },
  })
  t.match(await remove(service, { expected_count: 2 }), {
    status: 409,
    body: { code: 'decision_conflict' },
  })
  t.equal((await service.get('/articles/a/comments')).body.items.length, 1)

  t.match(await remove(service, { expected_count: 3 }), { status: 202, body: { comments: 3 } })
  t.match((await service.get('/articles/a')).body, { title: null, comment_count: 0 })
  t.same((await service.get('/articles/a/comments')).body.items, [])
  t.equal((await service.get(`/comments/${comment.id}`)).status, 404)
  t.equal((await service.get('/comments')).body.items.length, 1)
  const vote = { token, body: { value: -1 } }
  t.equal((await service.call('PUT', `${SITE}/comments/${comment.id}/vote`, vote)).status, 404)
  const edit = { token: comment.guest_token, body: { body: 'still here' } }
  t.equal((await service.call('PATCH', `${SITE}/comments/${comment.id}`, edit)).status, 404)
  const move = { token: service.adminKey, body: { article_id: 'b' } }
  t.equal((await service.call('POST', `${SITE}/comments/${comment.id}/moves`, move)).status, 404)

  const anew = await service.post('a', 'anew')
  t.match((await service.get('/articles/a/comments')).body.items, [{ id: anew.id }])
  await until('the job has deleted the thread', async () => {
    await runDue(service, 'delete_thread')
    const { rows } = await sql`select 1 from threads where id = ${threadId}`.execute(service.db)
    return rows.length === 0
  })
  t.same(await rowsOf(service, threadId), {})
  const { rows: revisions } = await sql`select 1 from comment_revisions`.execute(service.db)
  t.same(revisions, [])
  const { rows: addresses } = await sql`select 1 from comment_addresses`.execute(service.db)
  t.equal(addresses.length, 2, 'of the comments that are left')
  t.same(await recount(service.db), [])
  const log = await service.get('/moderation/decisions', { token: service.adminKey })
  const [decision] = log.body.items
  t.match(decision, { action: 'thread', subject: 'a', after: { state: 'deleted' } })
  const undo = `${SITE}/moderation/decisions/${decision.id}/undos`
  t.equal(
    (await service.call('POST', undo, { token: service.adminKey })).status,
    404,
    'it is final',
  )
})

t.test('an interrupted deletion of a thread goes on with what is left', async (t) => {
  const service = await openService(t)
  await fill(service)
  const threadId = await threadIdOf(service)
  await sql`
    update threads set deleted_at = now(), state = 'hidden' where id = ${threadId}`.execute(
    service.db,
  )
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    values (1, 'delete_thread', ${String(threadId)}, ${JSON.stringify({ threadId })}, now(), now())`.execute(
    service.db,
  )
  await runJobs(service, 'delete_thread', AbortSignal.abort())
  t.ok((await rowsOf(service, threadId)).comments! > 0)
  await sql`delete from flags`.execute(service.db)
  await runDue(service, 'delete_thread')
  t.same(await rowsOf(service, threadId), {})
})

t.test('no comment moves into a thread that is deleted meanwhile', async (t) => {
  const service = await openService(t)
  await fill(service)
  await service.post('b', 'elsewhere')
  const merge = () =>
    service.call('POST', `${SITE}/articles/b/merges`, {
      token: service.adminKey,
      body: { into: 'a' },
    })
  const [merged, deleted] = await Promise.all([merge(), remove(service, { expected_count: 3 })])
  const isMergedFirst = deleted.status === 409
  t.ok(isMergedFirst || merged.status === 404 || merged.status === 201, `${merged.status}`)
  const { rows } = await sql`
    select 1 from comments c join threads t on t.id = c.thread_id
    where c.body = 'elsewhere' and t.deleted_at is null`.execute(service.db)
  t.equal(rows.length, 1, 'it is where readers find it')
})
