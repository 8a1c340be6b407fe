import { sql } from 'kysely'
import t from 'tap'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { said } from './moderator.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const openModerator = async (service: TestService) => {
  const token = await service.makeKey('moderate', 1)
  const send = (method: string, path: string, body?: Json, headers?: Record<string, string>) =>
    service.call(method, `${SITE}${path}`, { token, body, ...(headers && { headers }) })
  const search = (query = '') => send('GET', `/moderation/threads${query}`)
  return {
    token,
    send,
    search,
    found: async (query?: string): Promise<string[]> =>
      (await search(query)).body.items.map((item: Json) => item.article_id),
    decide: (body: Json, key?: string) =>
      send(
        'POST',
        '/moderation/threads/decisions',
        body,
        key ? { 'idempotency-key': key } : undefined,
      ),
    change: (article: string, body: Json) => send('PATCH', `/articles/${article}`, body),
    stateOf: async (article: string): Promise<string> =>
      (await service.get(`/articles/${article}`)).body.state,
  }
}

const outcomesOf = ({ body }: { body: Json }) =>
  body.items.map((item: Json) => [item.article_id, item.outcome])

t.test('searchThreads', async (t) => {
  const service = await openService(t)
  const { search, found, change, send } = await openModerator(service)
  await service.post('seen', 'one')
  await service.post('hidden', 'two')
  await change('hidden', { state: 'hidden', title: 'A Secret 100% Title' })
  await change('locked', { state: 'locked', url: 'https://a.example/Locked_page' })
  await change('closed', { state: 'closed' })
  await change('over', { closes_at: '2020-01-01T00:00:00Z' })
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  await service.post('unseen', 'three')
  await service.post('deleted', 'four')
  await service.call('POST', `${SITE}/articles/deleted/deletions`, {
    token: service.adminKey,
    body: { expected_count: 1 },
  })

  t.test('searchThreads lists threads in every state, but no deleted ones', async (t) => {
    const all = ['unseen', 'over', 'closed', 'locked', 'hidden', 'seen']
    t.same(await found('?sort=newest'), all)
    t.same(new Set(await found()), new Set(all))
    t.match((await search('?q=secret')).body.items[0], {
      article_id: 'hidden',
      title: 'A Secret 100% Title',
      state: 'hidden',
      comment_count: 1,
      created_at: String,
      confirmed: true,
    })
  })

  t.test('searchThreads finds threads by state, text, comments and time', async (t) => {
    t.same(await found('?sort=newest&state=closed'), ['over', 'closed'])
    t.same(await found('?sort=newest&state=locked&state=hidden'), ['locked', 'hidden'])
    t.same(await found('?sort=newest&has_comments=true'), ['hidden', 'seen'])
    t.same(await found('?sort=newest&has_comments=false&state=open'), ['unseen'])
    t.same(await found('?q=100%25'), ['hidden'])
    t.same(await found('?q=LOCKED_PAGE'), ['locked'])
    t.same(await found('?q=hid'), ['hidden'])
    t.same(await found('?q=nowhere'), [])
    t.same(await found('?until=2020-01-01T00:00:00Z'), [])
  })

  t.test('searchThreads refuses unknown states and cursors of other lists', async (t) => {
    t.equal(said(await search('?state=gone')), '400 invalid_request')
    t.equal(said(await search('?sort=most')), '400 invalid_request')
    t.equal(said(await search('?until=soon')), '400 invalid_request')
    const { next_cursor: cursor } = (await search('?limit=1')).body
    t.equal(said(await search(`?limit=2&cursor=${cursor}`)), '200')
    t.equal(said(await search(`?cursor=${cursor}&state=open`)), '400 invalid_cursor')
    t.equal(said(await search(`?cursor=${cursor}&sort=newest`)), '400 invalid_cursor')
    t.equal(said(await send('GET', `/moderation/comments?cursor=${cursor}`)), '400 invalid_cursor')
  })
})

t.test('decideThreads', async (t) => {
  const service = await openService(t)
  const { send, decide, change, stateOf, found } = await openModerator(service)
  for (const article of ['a', 'b', 'c']) await service.post(article, `on ${article}`)
  await change('c', { state: 'locked' })

  t.test('decideThreads gives each thread its outcome, and a decision if it changed', async (t) => {
    const threads = [
      { article_id: 'a', from: 'open' },
      { article_id: 'b' },
      { article_id: 'absent' },
      { article_id: 'c', from: 'open' },
      { article_id: 'a' },
    ]
    const request = { threads, to: 'closed', reason: 'off_topic', note: 'a quarrel' }
    const expected = [
      ['a', 'changed'],
      ['b', 'changed'],
      ['absent', 'not_found'],
      ['c', 'decision_conflict'],
    ]
    const dry = await decide({ ...request, dry_run: true })
    t.same(outcomesOf(dry), expected)
    t.match(dry.body, { batch: null, total: 4, outcomes: { changed: 2 } })
    t.equal(await stateOf('a'), 'open')
    const done = await decide(request, 'a-key-of-the-first-decision')
    t.same(outcomesOf(done), expected)
    t.match(done.body.batch, { kind: 'decide_threads', to: null, to_state: 'closed', done: 4 })
    t.same(
      [await stateOf('a'), await stateOf('b'), await stateOf('c')],
      ['closed', 'closed', 'locked'],
    )
    t.same((await decide(request, 'a-key-of-the-first-decision')).body, done.body)
    const again = await decide({ threads: [{ article_id: 'a' }], to: 'closed' })
    t.same(outcomesOf(again), [['a', 'unchanged']])
    const log = await send('GET', `/moderation/decisions?batch_id=${done.body.batch.id}`)
    t.match(log.body.items, [
      { subject: 'b', action: 'thread', before: { state: 'open' }, after: { state: 'closed' } },
      { subject: 'a', action: 'thread', reason: 'off_topic', note: 'a quarrel', comment_id: null },
    ])
    const [{ id }] = log.body.items
    t.equal(said(await send('POST', `/moderation/decisions/${id}/undos`)), '201')
    t.equal(await stateOf('b'), 'open')
    const undone = await send('POST', `/moderation/batches/${done.body.batch.id}/undos`)
    t.same(
      new Map(outcomesOf(undone)),
      new Map([
        ['a', 'changed'],
        ['b', 'decision_conflict'],
      ]),
    )
    t.equal(await stateOf('a'), 'open')
    const redone = await send('POST', `/moderation/batches/${undone.body.batch.id}/undos`)
    t.same(outcomesOf(redone), [['a', 'changed']])
    t.equal(await stateOf('a'), 'closed')
  })

  t.test('decideThreads with a filter needs the number of threads', async (t) => {
    const request = { filter: { state: ['locked', 'closed'] }, to: 'hidden' }
    t.equal(said(await decide(request)), '400 invalid_request')
    t.match((await decide({ ...request, dry_run: true })).body, { total: 2 })
    t.equal(said(await decide({ ...request, expected_count: 3 })), '409 decision_conflict')
    t.equal(said(await decide({ ...request, expected_count: 2 })), '200')
    t.equal(await stateOf('c'), 'open', 'a hidden thread looks absent')
    t.same((await found('?state=hidden')).sort(), ['a', 'c'])
  })

  t.test(
    'decideThreads refuses a request without threads, with both, or with an odd state',
    async (t) => {
      const threads = [{ article_id: 'a' }]
      for (const body of [
        { to: 'open' },
        { threads, filter: {}, to: 'open' },
        { threads, to: 'gone' },
        { threads: [{ article_id: 'a', from: 'gone' }], to: 'open' },
        { filter: { state: ['gone'] }, expected_count: 1, to: 'open' },
      ])
        t.equal(said(await decide(body)), '400 invalid_request', JSON.stringify(body))
    },
  )

  t.test(
    'decideThreads finds a deleted thread absent, and its batch cannot be undone',
    async (t) => {
      await service.post('d', 'on d')
      const { body } = await decide({ threads: [{ article_id: 'd' }], to: 'locked' })
      const deletion = { token: service.adminKey, body: { expected_count: 1 } }
      await service.call('POST', `${SITE}/articles/d/deletions`, deletion)
      t.same(outcomesOf(await decide({ threads: [{ article_id: 'd' }], to: 'open' })), [
        ['d', 'not_found'],
      ])
      const undone = await send('POST', `/moderation/batches/${body.batch.id}/undos`)
      t.same(outcomesOf(undone), [['d', 'not_found']])
    },
  )

  t.test('decideThreads leaves more than 500 threads to a job', async (t) => {
    await sql`
      insert into threads (site_id, article_id) select 1, 'many ' || n from generate_series(1, 501) n`.execute(
      service.db,
    )
    const request = { filter: { q: 'many ' }, expected_count: 501, to: 'closed' }
    const { status, body } = await decide(request)
    t.match({ status, items: body.items }, { status: 202, items: [] })
    const path = `/moderation/batches/${body.batch.id}`
    const isOver = async () => (await send('GET', path)).body.ended_at !== null
    await until('for the batch to end', isOver)
    t.match((await send('GET', path)).body, { changed: 501, total: 501 })
  })
})
