import { sql } from 'kysely'
import t from 'tap'
import { runDue, runJobs } from '../jobs.ts'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { type Call, openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

type Json = Record<string, any>

const create = (service: TestService, slug: string) =>
  service.call('POST', '/v1/sites', { token: service.adminKey, body: { slug, name: slug } })

const rename = (service: TestService, from: string, body: object) =>
  service.call('POST', `/v1/sites/${from}/renames`, { token: service.adminKey, body })

const remove = (service: TestService, slug: string, body: object) =>
  service.call('POST', `/v1/sites/${slug}/deletions`, { token: service.adminKey, body })

const statusOf = async (service: TestService, slug: string, call: Call = {}) =>
  (await service.call('GET', `/v1/sites/${slug}/articles/a/comments`, call)).status

t.test('a renamed site has both slugs until a time, also for member tokens', async (t) => {
  const service = await openService(t)
  await openSignOn(service)
  await create(service, 'other')
  const old = await signToken({ sub: 'm', name: 'Mary' })
  const { id } = await service.post('a', 'x')
  t.match(await rename(service, 'default', { slug: 'other' }), { status: 400 })
  t.match(await rename(service, 'default', { slug: 'default' }), { status: 400 })
  const renamed = await rename(service, 'default', { slug: 'magazine' })
  t.match(renamed, { status: 200, body: { slug: 'magazine', former_slug: 'default', version: 3 } })
  t.ok(Date.parse(renamed.body.former_slug_until) > Date.now() + 29 * 86_400_000)
  const next = await signToken({ sub: 'm', name: 'Mary', aud: 'magazine' })
  for (const slug of ['default', 'magazine'])
    for (const token of [undefined, old, next]) {
      const answer = await service.call('GET', `/v1/sites/${slug}/comments/${id}`, { token })
      t.equal(answer.status, 200, slug)
    }
  const posted = await service.call('POST', '/v1/sites/default/articles/a/comments', {
    token: old,
    body: { body: 'by the slug before' },
  })
  t.match(posted, { status: 201, headers: { location: /^\/v1\/sites\/magazine\// } })
  t.match(await create(service, 'default'), { status: 400 }, 'it is not free yet')
  t.match(await rename(service, 'other', { slug: 'default' }), { status: 400 })
  await sql`update sites set former_slug_until = now()`.execute(service.db)
  service.sites.forget('default')
  service.sites.forget('magazine')
  t.equal(await statusOf(service, 'default'), 404)
  t.equal(await statusOf(service, 'magazine', { token: old }), 401)
  t.equal(await statusOf(service, 'magazine', { token: next }), 200)
  t.equal((await create(service, 'default')).status, 201)
  const { items } = (await service.call('GET', '/v1/audit', { token: service.adminKey })).body
  t.match(items[1], { action: 'site_renamed', subject: 'magazine', before: { slug: 'default' } })
})

t.test(
  'a second renaming keeps the latest slug only, and a site can have its name back',
  async (t) => {
    const service = await openService(t)
    await rename(service, 'default', { slug: 'b' })
    await rename(service, 'b', { slug: 'c' })
    const found = () => Promise.all(['default', 'b', 'c'].map((slug) => statusOf(service, slug)))
    t.same(await found(), [404, 200, 200])
    t.match((await rename(service, 'c', { slug: 'b', keep_days: 0 })).body, { former_slug: null })
    t.same(await found(), [404, 200, 404])
  },
)

/** Does on a site what fills the tables, with a member, a guest and the staff. */
const fill = async (service: TestService, slug: string): Promise<Json> => {
  const site = `/v1/sites/${slug}`
  const send = async (method: string, path: string, body?: object, token = service.adminKey) => {
    const answer = await service.call(method, `${site}${path}`, { token, body })
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`)
    return answer.body
  }
  const post = async (body: string, more: object = {}) =>
    (
      await service.call('POST', `${site}/articles/a/comments`, {
        headers: { 'idempotency-key': `the-key-of-a-post-${body}` },
        body: { body, author: { name: 'Ada', email: 'ada@example.org' }, ...more },
      })
    ).body
  const comment = await post('first')
  const reply = await post('second', { parent_id: comment.id })
  const guest = reply.guest_token
  await send('PUT', `/comments/${comment.id}/vote`, { value: 1 }, guest)
  await send('POST', `/comments/${comment.id}/flags`, { reason: 'spam' }, guest)
  await send('PATCH', `/comments/${reply.id}`, { body: 'edited' }, guest)
  await send('PATCH', '', { moderation: 'pre' })
  const held = await post('held')
  await send('POST', '/moderation/claims', { comment_ids: [held.id] })
  await send('POST', '/moderation/decisions', { comments: [{ id: reply.id }], to: 'spam' })
  await send('POST', `/comments/${reply.id}/appeals`, { text: 'why?' }, guest)
  await send('POST', `/authors/${comment.author.id}/notes`, { note: 'n' })
  await send('POST', '/moderation/bans', { kind: 'email', value: 'e@example.org', effect: 'hold' })
  const reason = { title: 't', reason: 'spam', note: 'n' }
  await send('POST', '/moderation/canned-reasons', reason)
  await send('PUT', '/moderation/policy', {
    policy: (await send('GET', '/moderation/policy')).policy,
  })
  await send('POST', '/moderation/rejudgements', {})
  const key = await send('POST', '/keys', { name: 'desk', scope: 'moderate' })
  return { comment, guest, key: key.key }
}

/** The number of rows of a site in every table with a site. */
const rowsOf = async ({ db }: TestService, siteId: number): Promise<Map<string, number>> => {
  const { rows } = await sql<{ name: string }>`
    select relname::text as name from pg_class join pg_attribute on attrelid = pg_class.oid
    where attname = 'site_id' and relkind = 'r' and relnamespace = 'public'::regnamespace`.execute(
    db,
  )
  const counts = new Map<string, number>()
  for (const { name } of rows) {
    const found = await sql<{ n: number }>`
      select count(*)::int as n from ${sql.table(name)} where site_id = ${siteId}`.execute(db)
    counts.set(name, found.rows[0]!.n)
  }
  return counts
}

t.test(
  'a deleted site is gone immediately, and the job leaves no row of it in any table',
  async (t) => {
    const service = await openService(t, { hideWaitMs: 0 })
    await create(service, 'gone')
    const { comment, guest, key } = await fill(service, 'gone')
    await fill(service, 'default')
    const { id: siteId } = (await service.sites.find('gone'))!
    const { id: otherId } = (await service.sites.find('default'))!
    const kept = async () =>
      [...(await rowsOf(service, otherId))].filter(([name]) => name !== 'jobs')
    const before = await kept()
    const filled = [...(await rowsOf(service, siteId))].filter(([, n]) => n > 0)
    t.ok(filled.length >= 18, `rows in ${filled.map(([name]) => name).join()}`)

    const counted = await remove(service, 'gone', { dry_run: true })
    t.match(counted, {
      status: 200,
      body: { dry_run: true, threads: 1, comments: 3, authors: 3, votes: 1, keys: 1 },
    })
    for (const body of [{}, { confirm: 'default' }])
      t.match(await remove(service, 'gone', body), {
        status: 400,
        body: { errors: [{ pointer: '/confirm' }] },
      })
    t.equal(await statusOf(service, 'gone', { token: guest }), 200)

    t.match(await remove(service, 'gone', { confirm: 'gone' }), {
      status: 202,
      body: { dry_run: false, comments: 3 },
    })
    t.equal(await statusOf(service, 'gone'), 404)
    for (const token of [guest, key, service.adminKey])
      t.equal(await statusOf(service, 'gone', { token }), 404)
    const path = `/v1/sites/gone/comments/${comment.id}`
    t.equal((await service.call('GET', path)).status, 404)
    t.equal((await service.call('GET', '/v1/keys', { token: key })).status, 401, 'a key stops')
    t.equal((await remove(service, 'gone', { confirm: 'gone' })).status, 404)

    await until('the job has deleted the site', async () => {
      await runDue(service, 'delete_site')
      const { rows } = await sql`select 1 from sites where slug = 'gone'`.execute(service.db)
      return rows.length === 0
    })
    const left = [...(await rowsOf(service, siteId))].filter(([, n]) => n > 0)
    t.same(left, [])
    t.same(await kept(), before, 'the other site keeps its rows but for jobs that end')
    t.same(await recount(service.db), [])
    const { items } = (await service.call('GET', '/v1/audit', { token: service.adminKey })).body
    t.match(items[0], { action: 'site_deleted', subject: 'gone', before: { name: 'gone' } })
    t.equal((await create(service, 'gone')).status, 201, 'the slug is free')
    t.match((await service.call('GET', '/v1/sites/gone/articles/a')).body, { comment_count: 0 })
  },
)

t.test('a deletion whose node is killed goes on with what is left', async (t) => {
  const service = await openService(t, { hideWaitMs: 0 })
  await create(service, 'gone')
  await fill(service, 'gone')
  const { id: siteId } = (await service.sites.find('gone'))!
  await sql`
    update sites set deleted_at = now() where id = ${siteId}`.execute(service.db)
  await sql`
    insert into jobs (site_id, kind, key, payload, enqueued_at, due_at)
    values (0, 'delete_site', ${String(siteId)}, ${JSON.stringify({ siteId })}, now(), now())`.execute(
    service.db,
  )
  await runJobs(service, 'delete_site', AbortSignal.abort())
  t.ok((await rowsOf(service, siteId)).get('comments')! > 0)
  // The state in which a kill between two transactions leaves the tables.
  await sql`delete from votes where site_id = ${siteId}`.execute(service.db)
  await runDue(service, 'delete_site')
  t.same(
    [...(await rowsOf(service, siteId)).values()].filter((n) => n > 0),
    [],
  )
})

t.test('the records of a site that exists are still append-only', async (t) => {
  const service = await openService(t)
  await service.changeSite({ flag_threshold: 3 })
  const erase = (siteId: number) =>
    service.db.transaction().execute(async (tx) => {
      await sql`select set_config('afterword.deleted_site', ${String(siteId)}, true)`.execute(tx)
      await sql`delete from audit where site_id = 1`.execute(tx)
    })
  await t.rejects(erase(2), /append-only/)
  await t.rejects(sql`delete from audit`.execute(service.db), /append-only/)
})
