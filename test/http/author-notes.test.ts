import t from 'tap'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'

const SITE = '/v1/sites/default'

const asModerator = async ({ call, makeKey }: TestService) => {
  const token = await makeKey('moderate')
  return {
    add: (id: string, note: string, headers = {}) =>
      call('POST', `${SITE}/authors/${id}/notes`, { token, headers, body: { note } }),
    list: (id: string, query = '') => call('GET', `${SITE}/authors/${id}/notes${query}`, { token }),
  }
}

t.test('listAuthorNotes shows moderators the notes on an author, latest first', async (t) => {
  const service = await openService(t)
  const { add, list } = await asModerator(service)
  const { author } = await service.post('a', 'x')
  for (const note of ['one', 'two', 'three']) {
    const { status, body } = await add(author.id, note)
    t.equal(status, 201)
    t.match(body, { id: /^n[\w-]{22}$/, author_id: author.id, note, by: /^k[\w-]{22}$/, at: /Z$/ })
  }
  const first = (await list(author.id, '?limit=2')).body
  const rest = (await list(author.id, `?limit=2&cursor=${first.next_cursor}`)).body
  const notes = [...first.items, ...rest.items].map(({ note }: { note: string }) => note)
  t.same(notes, ['three', 'two', 'one'])
  t.equal(rest.next_cursor, null)
})

t.test('an author who is absent or of another site has no notes', async (t) => {
  const service = await openService(t)
  const { add, list } = await asModerator(service)
  const { author } = await service.post('a', 'x')
  await add(author.id, 'one')
  for (const id of ['azzzz', 'nonsense'])
    t.same([(await add(id, 'x')).status, (await list(id)).status], [404, 404])
  const token = service.adminKey
  await service.call('POST', '/v1/sites', { token, body: { slug: 'other', name: 'Other' } })
  const path = `/v1/sites/other/authors/${author.id}/notes`
  t.equal((await service.call('GET', path, { token })).status, 404)
  t.equal((await service.call('POST', path, { token, body: { note: 'x' } })).status, 404)
})

t.test('a cursor of author notes belongs to its author', async (t) => {
  const service = await openService(t)
  const { add, list } = await asModerator(service)
  const [one, two] = [await service.post('a', 'x'), await service.post('a', 'y')]
  await add(one.author.id, 'one')
  await add(one.author.id, 'two')
  const { next_cursor: cursor } = (await list(one.author.id, '?limit=1')).body
  t.match(await list(two.author.id, `?cursor=${cursor}`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  })
})

t.test('author notes are in the export of the author, and an erasure removes them', async (t) => {
  const service = await openService(t)
  const { add, list } = await asModerator(service)
  const { author, guest_token: token } = await service.post('a', 'x')
  const headers = { 'idempotency-key': 'a-key-that-is-long-enough' }
  const { body } = await add(author.id, 'warned about a quince', headers)
  const held = (await service.get(`/authors/${author.id}/export`, { token })).body
  const { id, note, by, at: noted_at } = body
  t.same(held.notes, [{ id, note, by, noted_at }])
  await service.call('DELETE', `${SITE}/authors/${author.id}`, { token })
  t.equal((await list(author.id)).status, 404)
  t.equal((await add(author.id, 'once more')).status, 404)
  const kept = await service.db.selectFrom('authorNotes').selectAll().execute()
  const answers = await service.db.selectFrom('idempotencyKeys').selectAll().execute()
  t.notMatch(JSON.stringify([kept, answers]), 'quince')
})

t.test('an author note added during an erasure is removed with it, or refused', async (t) => {
  const service = await openService(t)
  const { add } = await asModerator(service)
  const { author, guest_token: token } = await service.post('a', 'x')
  const path = `${SITE}/authors/${author.id}`
  const adding = Array.from({ length: 8 }, (_, n) => add(author.id, `note ${n}`))
  const [erased, ...added] = await Promise.all([service.call('DELETE', path, { token }), ...adding])
  t.match(erased.status, /^20[24]$/)
  t.ok(added.every(({ status }) => status === 201 || status === 404))
  await until('for the notes to go', async () => {
    const kept = await service.db.selectFrom('authorNotes').selectAll().execute()
    return kept.length === 0
  })
})

t.test('an author note has 1 to 2,000 characters', async (t) => {
  const service = await openService(t)
  const { add } = await asModerator(service)
  const { author } = await service.post('a', 'x')
  t.equal((await add(author.id, 'x'.repeat(2000))).status, 201)
  for (const note of ['', 'x'.repeat(2001)])
    t.match(await add(author.id, note), {
      status: 400,
      body: { code: 'invalid_request', errors: [{ pointer: '/note' }] },
    })
})
