import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { runs } from '../lengths.ts'
import { callers, openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { openTwin } from '../twin.ts'

type Json = Record<string, any>
type Node = Pick<TestService, 'get'>

const SITE = '/v1/sites/default'

/** Asks until the page has no item; returns the ids, and the cursor of the next question. */
const poll = async (
  node: Node,
  cursor?: string,
  query = 'limit=3',
): Promise<{ ids: string[]; cursor: string }> => {
  const ids: string[] = []
  let asked = cursor
  for (;;) {
    const more = asked === undefined ? '' : `&cursor=${asked}`
    const { status, body } = await node.get(`/comments?sort=visible&${query}${more}`)
    if (status !== 200) throw new Error(`listRecent: ${JSON.stringify(body)}`)
    ids.push(...body.items.map(({ id }: Json) => id))
    asked = body.poll_cursor as string
    if (body.next_cursor === null) return { ids, cursor: asked }
  }
}

const decide = (service: TestService, id: string, from: string, to: string) =>
  service.decide(id, from, to)

t.test('a comment that is approved late comes after younger ones, once', async (t) => {
  const service = await openService(t)
  const held = await service.post('a', 'held')
  await decide(service, held.id, 'approved', 'pending')
  const young = await service.post('a', 'young')
  const first = await poll(service)
  t.same(first.ids, [young.id], 'a comment that is hidden now is absent')
  await decide(service, held.id, 'pending', 'approved')
  const second = await poll(service, first.cursor)
  t.same(second.ids, [held.id])
  t.same((await poll(service, second.cursor)).ids, [])
  t.same(new Set((await poll(service)).ids), new Set([young.id, held.id]))
})

t.test('a poll that finds nothing new waits for no other one, and writes nothing', async (t) => {
  const service = await openService(t)
  await service.post('a', 'first')
  const { cursor } = await poll(service)
  await service.db.transaction().execute(async (tx) => {
    await sql`lock table new_appearances, appearances in exclusive mode`.execute(tx)
    const { ids } = await poll(service, cursor, 'limit=4')
    t.same(ids, [])
  })
  await service.post('a', 'second')
  t.equal((await poll(service, cursor, 'limit=5')).ids.length, 1)
})

t.test('a post whose commit is late comes after those that committed before', async (t) => {
  const service = await openService(t)
  for (const article of ['slow', 'fast']) await service.post(article, 'first')
  const before = await poll(service)
  let slow: Promise<Json> | undefined
  await service.db.transaction().execute(async (tx) => {
    await sql`select from threads where article_id = 'slow' for update`.execute(tx)
    slow = service.post('slow', 'stored first, committed last')
    await until('for the post to wait for the thread', async () => {
      const { rows } = await sql`
        select from pg_locks where not granted`.execute(service.db)
      return rows.length > 0
    })
    await sql`insert into new_appearances (site_id, thread_id, comment_id)
      select site_id, thread_id, id from comments where body = 'first' and thread_id = (
        select id from threads where article_id = 'fast')`.execute(service.db)
    const during = await poll(service, before.cursor)
    t.equal(during.ids.length, 1, 'what has committed')
    before.cursor = during.cursor
  })
  const { id } = await slow!
  t.same((await poll(service, before.cursor)).ids, [id], 'and later the late commit')
})

t.test('the comments of a thread come again when the thread is shown again', async (t) => {
  const service = await openService(t)
  const patch = (state: string) =>
    service.call('PATCH', `${SITE}/articles/a`, { token: service.adminKey, body: { state } })
  const root = await service.post('a', 'root')
  const reply = await service.post('a', 'reply', { parent_id: root.id })
  const first = await poll(service)
  await patch('hidden')
  const hidden = await poll(service, first.cursor)
  t.same(hidden.ids, [])
  t.same((await poll(service)).ids, [])
  await patch('open')
  t.same((await poll(service, hidden.cursor)).ids, [root.id, reply.id])
})

t.test('a moved comment keeps its place, and comes if its former thread was hidden', async (t) => {
  const service = await openService(t)
  const move = (id: string, to: string) =>
    service.call('POST', `${SITE}/comments/${id}/moves`, {
      token: service.adminKey,
      body: { article_id: to, publish: true },
    })
  const one = await service.post('a', 'one')
  const two = await service.post('hidden', 'two')
  await service.post('b', 'three')
  await service.call('PATCH', `${SITE}/articles/hidden`, {
    token: service.adminKey,
    body: { state: 'hidden' },
  })
  const first = await poll(service)
  t.equal((await move(one.id, 'b')).status, 201)
  const second = await poll(service, first.cursor)
  t.same(second.ids, [])
  t.ok((await poll(service)).ids.includes(one.id), 'a walk still finds it')
  t.equal((await move(two.id, 'b')).status, 201)
  t.same((await poll(service, second.cursor)).ids, [two.id])
})

t.test('filters and since narrow the order, and a page that scans much is short', async (t) => {
  const service = await openService(t)
  const one = await service.post('a', 'one')
  const two = await service.post('b', 'two')
  const reply = await service.post('b', 'three', { parent_id: two.id })
  t.same((await poll(service, undefined, 'article_id=b')).ids, [two.id, reply.id])
  t.same((await poll(service, undefined, 'parent=reply')).ids, [reply.id])
  t.same((await poll(service, undefined, `author_id=${one.author.id}`)).ids, [one.id])
  const since = new Date().toISOString()
  t.same((await poll(service, undefined, `since=${since}`)).ids, [])
  const four = await service.post('a', 'four')
  t.same((await poll(service, undefined, `since=${since}`)).ids, [four.id])
  t.match(await service.get(`/comments?since=${since}`), { status: 400 })
  await sql`
    insert into appearances (site_id, position, thread_id, comment_id)
    select 1, n, 1, 9999 from generate_series(1, 2500) n`.execute(service.db)
  const { body } = await service.get('/comments?sort=visible')
  t.match(body, { items: [], next_cursor: body.poll_cursor }, 'more follows')
  t.equal((await poll(service)).ids.length, 4)
})

t.test('cursors of one order are refused by the other', async (t) => {
  const service = await openService(t)
  for (const body of ['one', 'two']) await service.post('a', body)
  const newest = (await service.get('/comments?limit=1')).body.next_cursor
  const visible = (await service.get('/comments?limit=1&sort=visible')).body.next_cursor
  t.equal((await service.get(`/comments?sort=visible&cursor=${newest}`)).status, 400)
  t.equal((await service.get(`/comments?cursor=${visible}`)).status, 400)
})

t.test('positions go on after a clock that steps back and after a restored backup', async (t) => {
  const service = await openService(t)
  await service.post('a', 'one')
  await poll(service)
  await sql`update appearances set position = position + 3600000000`.execute(service.db)
  const { cursor } = await poll(service, undefined, 'limit=4')
  const { id } = await service.post('a', 'two')
  t.same((await poll(service, cursor)).ids, [id])
})

const ARTICLES = ['a', 'b', 'c']
const anAct = fc.record({
  kind: fc.constantFrom('post', 'post', 'reply', 'decide', 'decide', 'move', 'undo', 'thread'),
  one: fc.nat(),
  other: fc.nat(),
})

/** Does one thing; what is refused changes nothing. */
const createActor = (service: TestService, touched: Set<string>) => {
  const all: Json[] = []
  const decisions: string[] = []
  const send = async (path: string, body: object = {}, method = 'POST') => {
    const answer = await service.call(method, `${SITE}${path}`, { token: service.adminKey, body })
    if (answer.status >= 500) throw new Error(answer.text)
    if (answer.status === 201 && answer.body.action) decisions.push(answer.body.id)
  }
  const STATUSES = ['approved', 'pending', 'rejected', 'spam']
  return async ({ kind, one, other }: { kind: string; one: number; other: number }) => {
    const article = ARTICLES[one % ARTICLES.length]!
    const comment = all[other % Math.max(1, all.length)]
    const post = async (more: object = {}) => {
      const posted = await service
        .post(article, `text ${one} ${other}`, more)
        .catch(() => undefined)
      if (posted) all.push(posted)
    }
    if (kind === 'post' || !comment) return post()
    if (kind === 'reply') return post({ parent_id: comment.id })
    touched.add(comment.id)
    if (kind === 'thread') {
      for (const { id } of all) touched.add(id)
      return send(`/articles/${article}`, { state: one % 2 ? 'hidden' : 'open' }, 'PATCH')
    }
    if (kind === 'move')
      return send(`/comments/${comment.id}/moves`, { article_id: article, publish: true })
    if (kind === 'undo') {
      const id = decisions[one % Math.max(1, decisions.length)]
      for (const { id } of all) touched.add(id)
      return id && send(`/moderation/decisions/${id}/undos`)
    }
    for (const from of STATUSES) {
      const to = STATUSES[(STATUSES.indexOf(from) + 1 + (one % 3)) % 4]
      await send(`/comments/${comment.id}/decisions`, { from, to, revision: 1 })
    }
  }
}

const holds = async (t: Test, rounds: readonly (readonly Json[])[]): Promise<void> => {
  const service = await openService(t)
  const nodes: Node[] = [service, callers(await openTwin(t, service), service.adminKey)]
  const touched = new Set<string>()
  const act = createActor(service, touched)
  const pollers = nodes.map((node) => ({
    node,
    cursor: undefined as string | undefined,
    ids: [] as string[],
  }))
  const step = async (one: (typeof pollers)[number]) => {
    const { ids, cursor } = await poll(one.node, one.cursor)
    one.ids.push(...ids)
    one.cursor = cursor
  }
  const wasVisible = new Set<string>()
  for (const acts of rounds) {
    let isOver = false
    const polling = pollers.map(async (one) => {
      // Cached pages need no I/O: without a pause they would leave the writers no turn.
      for (; !isOver; await sleep(5)) await step(one)
    })
    const lanes = [acts.filter((_, i) => i % 2 === 0), acts.filter((_, i) => i % 2 === 1)]
    await Promise.all(
      lanes.map(async (lane) => {
        for (const one of lane) await act(one as never)
      }),
    )
    isOver = true
    await Promise.all(polling)
    await Promise.all(pollers.map(step))
    const { rows } = await sql<{ threadId: number; id: number; homeThreadId: number | null }>`
      select c.thread_id, c.id, c.home_thread_id from comments c
      join threads t on t.site_id = c.site_id and t.id = c.thread_id
      where c.status = 'approved' and t.state <> 'hidden'`.execute(service.db)
    const visible = rows.map((row) => service.idsOf(1).writeComment(row))
    for (const id of visible) wasVisible.add(id)
    for (const { ids } of pollers)
      t.same(
        [...wasVisible].filter((id) => !ids.includes(id)),
        [],
        'a poller missed none',
      )
    const walk = (await poll(service)).ids
    t.same(new Set(walk), new Set(visible), 'a walk finds exactly what is visible')
    for (const seen of [walk, ...pollers.map(({ ids }) => ids)]) {
      const untouched = seen.filter((id) => !touched.has(id))
      t.equal(new Set(untouched).size, untouched.length, 'each comes once')
    }
  }
}

t.test(
  'pollers miss no comment, whatever is posted, decided, moved and undone meanwhile',
  async (t) => {
    const acts = fc.array(anAct, { minLength: 4, maxLength: 14 })
    const samples = fc.sample(fc.array(acts, { minLength: 1, maxLength: 3 }), runs(3, 30))
    for (const [n, rounds] of samples.entries()) {
      await t.test(`sample ${n}: ${JSON.stringify(rounds)}`, (t) => holds(t, rounds))
    }
  },
)
