import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { applyRetention } from '../../src/usecases/jobs/apply-retention.ts'
import { runs } from '../lengths.ts'
import { goBy } from '../policies.ts'
import { recount } from '../recount.ts'
import { type Answer, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const withdraw = (service: TestService, { id, guest_token: token }: Json) =>
  service.call('DELETE', `${SITE}/comments/${id}`, { token })

const restore = (service: TestService, { id, guest_token: token }: Json) =>
  service.call('POST', `${SITE}/comments/${id}/restorations`, { token })

const said = ({ status, body }: Answer): string => `${status} ${body?.code ?? body?.status ?? ''}`

const undoLast = async (service: TestService, id: string): Promise<Answer> => {
  const token = service.adminKey
  const log = await service.get(`/moderation/decisions?comment_id=${id}`, { token })
  const [last] = log.body.items
  return service.call('POST', `${SITE}/moderation/decisions/${last.id}/undos`, { token })
}

const inQueue = async (service: TestService, id: string): Promise<Json> => {
  const path = '/moderation/comments?status=deleted'
  const { body } = await service.get(path, { token: service.adminKey })
  return body.items.find((one: Json) => one.id === id)
}

t.test('no decision of a moderator restores what its author deleted', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'root')
  const own = await service.post('a', 'withdrawn', { parent_id: root.id })
  await service.post('a', 'below', { parent_id: own.id })
  t.equal((await withdraw(service, own)).status, 204)
  t.match(await inQueue(service, own.id), { deleted_by: 'author' })
  const direct = await service.decide(own.id, 'deleted', 'approved')
  t.equal(said(direct), '409 move_not_allowed')
  await service.decide(root.id, 'approved', 'deleted', { replies: 'same' })
  t.match(await inQueue(service, root.id), { deleted_by: 'moderator' })
  t.equal((await service.decide(root.id, 'deleted', 'approved', { replies: 'same' })).status, 201)
  const bulk = await service.call('POST', `${SITE}/moderation/decisions`, {
    token: service.adminKey,
    body: { comments: [{ id: own.id, from: 'deleted' }], to: 'pending' },
  })
  t.match(bulk.body.items, [{ comment_id: own.id, outcome: 'move_not_allowed' }])
  t.notMatch((await service.get('/articles/a/comments')).text, 'withdrawn')
  t.same(await recount(service.db), [])
})

t.test(
  'a late retry of a request about a withdrawn comment gets no text, and posts none',
  async (t) => {
    const service = await openService(t)
    const headers = (key: string) => ({ headers: { 'idempotency-key': key } })
    const post = () =>
      service.call('POST', `${SITE}/articles/a/comments`, {
        ...headers('the-key-of-a-post'),
        body: { body: 'a quince', author: { name: 'Ada' } },
      })
    const { body: own } = await post()
    const { guest_token: token } = own
    const call = { token, ...headers('the-key-of-an-edit'), body: { body: 'an edited quince' } }
    const edit = () => service.call('PATCH', `${SITE}/comments/${own.id}`, call)
    t.match(await edit(), { status: 200 })
    const other = await service.post(
      'a',
      'another quince',
      {},
      { token, ...headers('the-key-of-another') },
    )
    await withdraw(service, own)
    t.equal(said(await post()), '404 not_found')
    t.equal(said(await edit()), '404 not_found')
    const { rows } = await sql<{ answer: string }>`
    select answer::text from idempotency_keys where answer::text like '%quince%'`.execute(
      service.db,
    )
    t.same(rows.length, 1)
    t.match(rows[0]!.answer, other.id, 'responses about other comments stay')
    t.match((await service.get('/articles/a/comments')).body.items, [{ id: other.id }])
    t.equal((await restore(service, own)).status, 200)
  },
)

t.test('an author’s deletion after a moderator’s stands against an undo', async (t) => {
  const service = await openService(t)
  const own = await service.post('a', 'withdrawn')
  await service.decide(own.id, 'approved', 'deleted')
  t.match(await inQueue(service, own.id), { deleted_by: 'moderator' })
  t.equal((await withdraw(service, own)).status, 204)
  t.match(await inQueue(service, own.id), { deleted_by: 'author' })
  t.equal(said(await undoLast(service, own.id)), '409 move_not_allowed')
  t.equal((await service.get(`/comments/${own.id}`)).status, 404)
})

t.test('an author restores an own deletion within the edit window', async (t) => {
  const service = await openService(t)
  const own = await service.post('a', 'mine')
  const other = await service.post('a', 'of another')
  await withdraw(service, own)
  t.equal(said(await restore(service, { ...own, guest_token: other.guest_token })), '404 not_found')
  t.equal(said(await restore(service, { ...own, guest_token: service.adminKey })), '404 not_found')
  t.match(await restore(service, own), { status: 200, body: { body: 'mine', status: 'approved' } })
  t.equal((await service.get('/articles/a')).body.comment_count, 2)
  t.equal(said(await restore(service, own)), '404 not_found', 'there is nothing to restore')
  await withdraw(service, own)
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  t.equal(said(await restore(service, own)), '202 pending', 'no more public than a post is now')
  await withdraw(service, own)
  const shut = { edit_window_seconds: 0 }
  await service.call('PATCH', SITE, { token: service.adminKey, body: shut })
  t.equal(said(await restore(service, own)), '409 edit_window_over')
  t.same(await recount(service.db), [])
})

t.test('an author does not restore what a moderator turned down', async (t) => {
  const service = await openService(t)
  const [removed, rejected] = [await service.post('a', '1'), await service.post('a', '2')]
  await service.decide(removed.id, 'approved', 'deleted')
  await service.decide(rejected.id, 'approved', 'rejected')
  for (const own of [removed, rejected]) {
    await withdraw(service, own)
    t.equal(said(await restore(service, own)), '404 not_found')
  }
})

t.test('an author does not restore past what moderators did meanwhile', async (t) => {
  const service = await openService(t)
  const root = await service.post('a', 'root')
  const reply = await service.post('a', 'reply', { parent_id: root.id })
  const other = await service.post('a', 'removed')
  for (const own of [reply, other]) await withdraw(service, own)
  await service.decide(root.id, 'approved', 'rejected', { replies: 'same' })
  t.equal(said(await restore(service, reply)), '202 pending', 'its parent is not public')
  const path = `${SITE}/comments/${other.id}`
  t.equal((await service.call('DELETE', path, { token: service.adminKey })).status, 204)
  t.equal(said(await restore(service, other)), '404 not_found')
  t.equal(said(await undoLast(service, other.id)), '409 move_not_allowed')
  t.same(await recount(service.db), [])
})

t.test('a restored comment is judged by the policy of now', async (t) => {
  const service = await openService(t)
  const own = await service.post('a', 'cheap quinces')
  await withdraw(service, own)
  await goBy(service, { words: { mode: 'enforce', pending: ['quinces'] } })
  t.equal(said(await restore(service, own)), '202 pending')
  const { body } = await service.get('/moderation/comments', { token: service.adminKey })
  const [held] = body.items
  t.equal(held.id, own.id)
  t.ok(
    held.trace.some(({ rule }: Json) => rule === 'words'),
    'moderators see why',
  )
  t.notMatch((await service.get('/articles/a/comments')).text, 'quinces')
})

t.test('flags on a withdrawn comment leave the queue, and come back with it', async (t) => {
  const service = await openService(t)
  const [own, other] = [await service.post('a', '1'), await service.post('a', '2')]
  const flag = { token: other.guest_token, body: { reason: 'spam' } }
  await service.call('POST', `${SITE}/comments/${own.id}/flags`, flag)
  await withdraw(service, own)
  t.match(await inQueue(service, own.id), { flag_count: 0 })
  t.same(await recount(service.db), [])
  await restore(service, own)
  const { rows } = await sql<Json>`select max(flag_count) as flags from comments`.execute(
    service.db,
  )
  t.match(rows, [{ flags: 1 }])
  t.same(await recount(service.db), [])
})

t.test('the text of a withdrawn comment goes with the retention of the site', async (t) => {
  const service = await openService(t)
  const own = await service.post('a', 'quince-first')
  const { guest_token: token } = own
  const edit = { token, body: { body: 'quince-second' } }
  await service.call('PATCH', `${SITE}/comments/${own.id}`, edit)
  const kept = await service.post('a', 'quince-kept')
  await service.decide(kept.id, 'approved', 'deleted')
  await withdraw(service, own)
  const texts = async () => {
    const { rows } = await sql<{ body: string }>`
      select body from comments union all select body from comment_revisions order by body`.execute(
      service.db,
    )
    return rows.map(({ body }) => body).filter(Boolean)
  }
  t.same(await texts(), ['quince-first', 'quince-kept', 'quince-second'])
  await sql`update comments set withdrawn_at = now() - interval '31 days'
    where withdrawn_at is not null`.execute(service.db)
  await applyRetention(service, new AbortController().signal)
  t.same(await texts(), ['quince-kept'])
  t.equal(said(await restore(service, own)), '404 not_found')
})

t.test('a withdrawn comment stays invisible under any acts of moderators', async (t) => {
  const service = await openService(t)
  let articles = 0
  const acts = fc.array(
    fc.record({
      kind: fc.constantFrom('withdraw', 'restore', 'decide', 'decide', 'undo'),
      on: fc.constantFrom('root', 'reply'),
      to: fc.constantFrom('approved', 'pending', 'rejected', 'deleted'),
      replies: fc.constantFrom('keep', 'same'),
    }),
    { minLength: 3, maxLength: 10 },
  )
  const property = fc.asyncProperty(acts, async (list) => {
    const article = `p${articles++}`
    const root = await service.post(article, 'root')
    const reply = await service.post(article, 'reply', { parent_id: root.id })
    const comments: Record<string, Json> = { root, reply }
    const withdrawn = new Set<string>()
    for (const { kind, on, to, replies } of list) {
      const one = comments[on]!
      if (kind === 'withdraw' && (await withdraw(service, one)).status === 204) withdrawn.add(on)
      if (kind === 'restore' && (await restore(service, one)).status < 300) withdrawn.delete(on)
      if (kind === 'undo') await undoLast(service, one.id).catch(() => undefined)
      if (kind === 'decide') {
        const { rows } = await sql<{ status: string }>`
          select c.status from comments c join threads t on t.id = c.thread_id
          where t.article_id = ${article} and c.body = ${on}`.execute(service.db)
        await service.decide(one.id, rows[0]!.status, to, { replies })
      }
      const page = await service.get(`/articles/${article}/comments`)
      for (const name of withdrawn)
        if (page.text.includes(`"body":"${name}"`)) throw new Error(`${name} is shown`)
    }
  })
  await fc.assert(property, { numRuns: runs(8, 60) })
  t.same(await recount(service.db), [])
})
