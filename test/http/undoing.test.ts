import { sql } from 'kysely'
import t from 'tap'
import { type Answer, openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'

type Json = Record<string, any>

const open = (service: TestService) => {
  const send = (method: string, path: string, body?: Json): Promise<Answer> =>
    service.call(method, `${SITE}${path}`, { token: service.adminKey, body })
  return {
    send,
    undo: (id: string) => send('POST', `/moderation/decisions/${id}/undos`),
    last: async (): Promise<Json> => (await send('GET', '/moderation/decisions')).body.items[0],
    thread: async (): Promise<Json> => (await service.get('/articles/a')).body,
  }
}

const said = ({ status, body }: Answer): string => `${status} ${body?.code ?? ''}`

t.test('undo restores the changed settings of a thread', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  const update = async (change: Json): Promise<string> => {
    t.equal((await send('PATCH', '/articles/a', change)).status, 200)
    return (await last()).id
  }
  await update({ title: 'First', slow_mode_seconds: 5 })
  const before = await thread()
  const closes_at = '2031-01-01T00:00:00.000Z'
  const change = { state: 'hidden', title: 'Second', closes_at, moderation: 'pre' }
  const changed = await update({ ...change, stays_open: true, slow_mode_seconds: null })
  t.equal((await thread()).comment_count, 0)
  const undone = await undo(changed)
  t.match(undone, {
    status: 201,
    headers: { 'thread-version': String },
    body: {
      action: 'thread',
      subject: 'a',
      undoes: changed,
      after: { title: 'First', moderation: 'site' },
    },
  })
  t.same({ ...(await thread()), version: 0 }, { ...before, version: 0 })
  t.equal(said(await undo(changed)), '409 decision_conflict', 'once')
  t.equal((await undo(undone.body.id)).status, 201)
  t.equal((await thread()).comment_count, 0, 'and that is taken back too')
})

t.test('undo of reopening closes a thread that had closed by its time', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  await send('PATCH', '/articles/a', { closes_at: '2020-01-01T00:00:00Z' })
  await send('PATCH', '/articles/a', { state: 'open' })
  t.equal((await thread()).state, 'open')
  await undo((await last()).id)
  t.match(await thread(), { state: 'closed', closes_at: '2020-01-01T00:00:00.000Z' })
})

t.test('undo keeps settings that changed again since, and restores the others', async (t) => {
  const service = await openService(t)
  const { send, undo, last, thread } = open(service)
  await service.post('a', 'x')
  await send('PATCH', '/articles/a', { state: 'closed' })
  const closed = (await last()).id
  await send('PATCH', '/articles/a', { title: 'T' })
  const titled = (await last()).id
  await send('PATCH', '/articles/a', { title: 'U' })
  t.equal(said(await undo(titled)), '409 decision_conflict')
  t.equal((await undo(closed)).status, 201)
  t.match(await thread(), { state: 'open', title: 'U' })
  await send('PATCH', '/articles/a', { state: 'closed' })
  t.equal(said(await undo(closed)), '409 decision_conflict', 'never twice')
})

t.test('undo lifts a ban, and its undo renews the ban until its end', async (t) => {
  const service = await openService(t)
  const { send, undo, last } = open(service)
  const { author, guest_token: token } = await service.post('a', 'x')
  const trying = async () =>
    (await service.call('POST', `${SITE}/articles/a/comments`, { token, body: { body: 'y' } }))
      .status
  const asked = { kind: 'author', value: author.id, effect: 'block', reason: 'spam' }
  const ban = (await send('POST', '/moderation/bans', asked)).body
  const banned = (await last()).id
  t.equal(await trying(), 403)
  const lifted = await undo(banned)
  t.match(lifted, { status: 201, body: { action: 'unban', subject: ban.id, undoes: banned } })
  t.equal(await trying(), 201)
  t.equal(said(await undo(banned)), '409 decision_conflict')
  const again = await undo(lifted.body.id)
  t.match(again.body, { action: 'ban', undoes: lifted.body.id, reason: 'spam' })
  t.equal(await trying(), 403)
  t.equal(said(await undo(lifted.body.id)), '409 decision_conflict')
  t.equal(said(await undo(banned)), '409 decision_conflict', 'never twice')
  await send('DELETE', `/moderation/bans/${ban.id}`)
  const unbanned = (await last()).id
  t.equal(said(await undo(again.body.id)), '409 decision_conflict', 'it is lifted by now')
  await sql`update bans set expires_at = clock_timestamp()`.execute(service.db)
  t.equal(said(await undo(unbanned)), '409 decision_conflict', 'its time is over')
})

t.test('of two moderators who undo the same decision together, one succeeds', async (t) => {
  const service = await openService(t)
  const { send, undo, last } = open(service)
  const asked = { kind: 'email', value: 'eve@example.org', effect: 'block' }
  await send('POST', '/moderation/bans', asked)
  const banned = (await last()).id
  const bans = await Promise.all([undo(banned), undo(banned)])
  t.same(
    bans.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409],
  )
  await send('PATCH', '/articles/a', { state: 'closed' })
  const closed = (await last()).id
  const threads = await Promise.all([undo(closed), undo(closed)])
  t.same(
    threads.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409],
  )
})
