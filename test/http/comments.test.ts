import t from 'tap'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { ABSENT, IDS } from '../ids.ts'
import { openService, type TestService } from '../service.ts'

const bodies = (items: any[]): string => items.map(({ body }) => body).join(' ')

/** Everything that a reader could tell two answers apart by. */
const traits = ({ status, headers, text }: any) => {
  const { date: _, ...rest } = headers
  return { status, headers: rest, text }
}

const holdEverything = ({ changeSite }: TestService) => changeSite({ moderation: 'pre' })

/** A chain of replies, `depth` comments long: the first is `0`. */
const plantChain = async ({ post }: TestService, depth: number): Promise<string[]> => {
  const ids: string[] = []
  for (let at = 0; at < depth; at++) {
    const { id } = await post('a', String(at), at > 0 ? { parent_id: ids[at - 1] } : {})
    ids.push(id)
  }
  return ids
}

t.test('getComment returns the posted comment', async (t) => {
  const service = await openService(t)
  const answer = await service.post('a', '*hello*\r\n ')
  const { guest_token: _, editable_until: __, now: ___, ...posted } = answer
  const { status, body } = await service.get(`/comments/${posted.id}`)
  t.equal(status, 200)
  t.same(body, posted)
  t.equal(body.body, '*hello*\r\n ')
})

t.test('getComment: context adds the nearest ancestors, root first', async (t) => {
  const service = await openService(t)
  const ids = await plantChain(service, 4)
  const ancestors = async (context: number) =>
    bodies((await service.get(`/comments/${ids[3]}?context=${context}`)).body.ancestors)
  t.equal(await ancestors(9), '0 1 2')
  t.equal(await ancestors(2), '1 2')
  t.equal(await ancestors(0), '')
  const plain = (await service.get(`/comments/${ids[3]}`)).body
  t.notOk('ancestors' in plain)
  t.same((await service.get(`/comments/${ids[0]}?context=9`)).body.ancestors, [])
})

t.test('getComment: context takes 0 to 100', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  t.equal((await service.get(`/comments/${id}?context=100`)).status, 200)
  for (const context of ['101', '-1', 'x', '', '01']) {
    const { status, body } = await service.get(`/comments/${id}?context=${context}`)
    t.same([status, body.code], [400, 'invalid_request'], context)
  }
})

t.test(
  'getComment shows hidden ancestors, and a hidden comment with replies, as tombstones',
  async (t) => {
    const service = await openService(t)
    const ids = await plantChain(service, 3)
    await service.decide(ids[1]!, 'approved', 'rejected')
    const { ancestors } = (await service.get(`/comments/${ids[2]}?context=9`)).body
    t.match(ancestors, [{ body: '0' }, { id: ids[1], status: 'deleted', body: null, author: null }])
    const { status, body } = await service.get(`/comments/${ids[1]}`)
    t.equal(status, 200)
    t.match(body, { id: ids[1], status: 'deleted', body: null, body_html: null, author: null })
  },
)

t.test('a tombstone shows nothing of its comment, whatever hid it', async (t) => {
  const service = await openService(t)
  const url = 'https://secret.example/'
  const author = { name: 'Secretive', url, email: 'secret@example.org' }
  const root = await service.post('a', 'secret', { author })
  await service.post('a', 'reply', { parent_id: root.id })
  const answers = []
  let from = 'approved'
  for (const to of ['pending', 'spam', 'rejected', 'deleted']) {
    await service.decide(root.id, from, to)
    answers.push((await service.get(`/comments/${root.id}`)).text)
    from = to
  }
  t.equal(new Set(answers).size, 1)
  t.notMatch(answers[0], /secret/i)
})

t.test(
  'getComment gives the same 404 for malformed, absent, hidden and other sites’ ids',
  async (t) => {
    const service = await openService(t)
    await insertSite(service.db, { slug: 'other', name: 'Other' })
    const path = '/v1/sites/other/articles/a/comments'
    const elsewhere = await service.call('POST', path, {
      body: { body: 'x', author: { name: 'Bo' } },
    })
    const hidden = []
    for (const status of ['pending', 'spam', 'rejected', 'deleted']) {
      const { id } = await service.post('a', status)
      await service.decide(id, 'approved', status)
      hidden.push(id)
    }
    const shown = await service.post('a', 'shown')
    const { threadId, id } = IDS.readComment(shown.id)!
    const misplaced = IDS.writeComment({ threadId: threadId + 1, id })
    const malformed = [
      'x',
      'c',
      'c-',
      'c1',
      'c0-1',
      'c1-1',
      `C${shown.id.slice(1)}`,
      `${shown.id}A`,
      shown.id.slice(0, -1),
      'c1-%00',
    ]
    const absent = [ABSENT, misplaced]
    const expected = traits(await service.get(`/comments/${ABSENT}`))
    t.match(expected, { status: 404, headers: { 'content-type': /^application\/problem\+json/ } })
    for (const id of [...malformed.slice(0, -1), ...absent, ...hidden, elsewhere.body.id]) {
      t.same(traits(await service.get(`/comments/${id}`)), expected, id)
      t.same(traits(await service.get(`/comments/${id}?context=2`)), expected, id)
      t.same(traits(await service.get(`/comments/${id}/replies`)), expected, id)
    }
  },
)

t.test('getComment gives the same 404 for a comment that was held from the start', async (t) => {
  const service = await openService(t)
  const expected = traits(await service.get(`/comments/${ABSENT}`))
  await holdEverything(service)
  const held = await service.post('a', 'held')
  t.same(traits(await service.get(`/comments/${held.id}`)), expected)
  await service.decide(held.id, 'pending', 'rejected')
  t.same(traits(await service.get(`/comments/${held.id}`)), expected)
})

t.test('getComment gives the same 404 for a comment of a hidden thread', async (t) => {
  const service = await openService(t)
  const expected = traits(await service.get(`/comments/${ABSENT}`))
  const { id } = await service.post('a', 'x')
  const path = '/v1/sites/default/articles/a'
  await service.call('PATCH', path, { token: service.adminKey, body: { state: 'hidden' } })
  t.same(traits(await service.get(`/comments/${id}`)), expected)
  t.same(traits(await service.get(`/comments/${id}/replies`)), expected)
})

t.test('every operation on an absent site gives 404', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  for (const path of ['/articles/a', '/articles/a/comments', `/comments/${id}`, '/comments']) {
    const { status, body } = await service.call('GET', `/v1/sites/nowhere${path}`)
    t.same([status, body.code], [404, 'not_found'], path)
  }
})

t.test('only its author sees a held comment, as pending', async (t) => {
  const service = await openService(t)
  const stranger = await service.post('a', 'x')
  await holdEverything(service)
  const held = await service.post('a', 'held')
  const read = (token?: string) => service.get(`/comments/${held.id}`, { token })
  const own = await read(held.guest_token)
  t.match(own, { status: 200, body: { status: 'pending', body: 'held', author: { name: 'Ada' } } })
  t.equal(own.headers['cache-control'], 'private, no-store')
  t.equal((await read(stranger.guest_token)).status, 404)
  t.equal((await read()).status, 404)
})

t.test('a guest sees spam as pending, and nothing of a rejection', async (t) => {
  const service = await openService(t)
  const { id, guest_token: token } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'spam')
  t.match((await service.get(`/comments/${id}`, { token })).body, {
    status: 'pending',
    body: 'x',
  })
  await service.decide(id, 'spam', 'rejected')
  t.equal((await service.get(`/comments/${id}`, { token })).status, 404)
})

t.test('moderators see a hidden comment as it is', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const token = await service.makeKey('moderate')
  let from = 'approved'
  for (const to of ['pending', 'spam', 'rejected', 'deleted']) {
    await service.decide(id, from, to)
    t.match(await service.get(`/comments/${id}`, { token }), {
      status: 200,
      body: { status: to, body: 'x' },
    })
    from = to
  }
})

t.test('moderators see the comment of a tombstone', async (t) => {
  const service = await openService(t)
  const ids = await plantChain(service, 2)
  await service.decide(ids[0]!, 'approved', 'rejected')
  const { body } = await service.get(`/comments/${ids[0]}`, { token: service.adminKey })
  t.match(body, { status: 'rejected', body: '0', reply_count: 1 })
})

t.test('moderators get the context of a hidden comment too', async (t) => {
  const service = await openService(t)
  const ids = await plantChain(service, 3)
  await service.decide(ids[2]!, 'approved', 'pending')
  const { body } = await service.get(`/comments/${ids[2]}?context=9`, { token: service.adminKey })
  t.match(body, { status: 'pending', body: '2' })
  t.equal(bodies(body.ancestors ?? []), '0 1')
})

t.test('a key that may only read sees no more than a reader', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'rejected')
  const token = await service.makeKey('read')
  t.equal((await service.get(`/comments/${id}`, { token })).status, 404)
})

t.test('a moderator of another site sees nothing', async (t) => {
  const service = await openService(t)
  const site = await insertSite(service.db, { slug: 'other', name: 'Other' })
  const { id } = await service.post('a', 'x')
  const token = await service.makeKey('moderate', site!.id)
  t.equal((await service.get(`/comments/${id}`, { token })).status, 403)
  const { status } = await service.call('GET', `/v1/sites/other/comments/${id}`, { token })
  t.equal(status, 404)
})
