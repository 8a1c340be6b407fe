import { sql } from 'kysely'
import t from 'tap'
import { SORTS } from '../../src/domain/comment/sort.ts'
import { insertSite } from '../../src/postgres/service/sites.ts'
import { ABSENT, IDS } from '../ids.ts'
import { openService, suggest, type TestService } from '../service.ts'
import { FILL_TALLIES } from '../tallies.ts'

type Outline = { [body: string]: Outline }
type Ids = Record<string, any>

/** Posts an outline, one comment after the other, and answers their ids by their bodies. */
const plant = async (service: TestService, outline: Outline, parent?: string): Promise<Ids> => {
  const ids: Ids = {}
  for (const [body, below] of Object.entries(outline)) {
    const { id } = await service.post('a', body, parent ? { parent_id: parent } : {})
    Object.assign(ids, { [body]: id }, await plant(service, below, id))
  }
  return ids
}

/** `a(a2 a1 +3) †(c)`: replies in brackets, how many remain, tombstones. */
const shape = (items: any[]): string => items.map(shapeOne).join(' ')
const shapeOne = ({ body, replies }: any): string => {
  const below = [shape(replies?.items ?? []), replies?.remaining ? `+${replies.remaining}` : '']
  const inside = below.filter((part) => part !== '').join(' ')
  return `${body ?? '†'}${inside && `(${inside})`}`
}

const bodies = (items: any[]): string => items.map(({ body }) => body).join(' ')
const countBranches = (items: any[]): number =>
  items.reduce((sum, { replies }) => sum + 1 + countBranches(replies.items), 0)

const vote = ({ db }: TestService, id: string, upvotes: number, downvotes = 0) =>
  sql`update comment_tallies set upvotes = ${upvotes}, downvotes = ${downvotes}
    where comment_id = ${IDS.readComment(id)!.id}`.execute(db)

const backdate = ({ db }: TestService, id: string, hours: number) =>
  sql`
    with written as (
      update comments set created_at = timestamptz '2026-01-02' - ${hours} * interval '1 hour'
      where id = ${IDS.readComment(id)!.id} returning id, created_at
    )
    update comment_tallies k set created_at = w.created_at from written w
    where k.comment_id = w.id`.execute(db)

const patchThread = ({ call, adminKey }: TestService, change: object) =>
  call('PATCH', '/v1/sites/default/articles/a', { token: adminKey, body: change })

const holdEverything = ({ changeSite }: TestService) => changeSite({ moderation: 'pre' })

const nextLink = (link: string): string => /^<([^>]+)>; rel="next"$/.exec(link)![1]!

const COMMENTS = '/articles/a/comments'

const withoutDate = ({ status, headers, text }: any) => {
  const { date: _, ...rest } = headers
  return { status, headers: rest, text }
}

t.test('getThread returns zeros and nulls for an absent article', async (t) => {
  const { get } = await openService(t)
  const { status, body } = await get('/articles/no%2Fsuch')
  t.equal(status, 200)
  t.same(body, {
    article_id: 'no/such',
    title: null,
    url: null,
    state: 'open',
    comment_count: 0,
    root_count: 0,
    last_comment_at: null,
    closes_at: null,
    slow_mode_seconds: 0,
    version: 0,
    may_post: 'anyone',
    reason: null,
  })
})

t.test('getThread counts approved comments and gives the time of the newest', async (t) => {
  const service = await openService(t)
  const article = { title: 'A', url: 'https://example.org/a' }
  const root = await service.post('a', 'root', { article }, { token: service.adminKey })
  const reply = await service.post('a', 'reply', { parent_id: root.id })
  const { body } = await service.get('/articles/a')
  t.match(body, { ...article, comment_count: 2, root_count: 1, last_comment_at: reply.created_at })
  await service.decide(reply.id, 'approved', 'spam')
  const after = (await service.get('/articles/a')).body
  t.match(after, { comment_count: 1, root_count: 1, last_comment_at: root.created_at })
  t.ok(after.version > body.version)
})

t.test('absent, hidden and held-only threads give the same bytes', async (t) => {
  const service = await openService(t)
  const read = async () => [
    withoutDate(await service.get('/articles/a')),
    withoutDate(await service.get(COMMENTS)),
    withoutDate(await service.get(`${COMMENTS}?view=flat&sort=top&limit=1`)),
  ]
  const absent = await read()
  await holdEverything(service)
  const held = await service.post('a', 'held', ...suggest('A'))
  t.same(await read(), absent, 'held-only')
  await service.decide(held.id, 'pending', 'approved')
  t.match((await service.get('/articles/a')).body, { title: 'A', comment_count: 1 })
  await patchThread(service, { state: 'hidden' })
  t.same(await read(), absent, 'hidden')
})

t.test(
  'a comment that is held, or rejected while held, changes no response and no entity tag',
  async (t) => {
    const service = await openService(t)
    const root = await service.post('a', 'root')
    await holdEverything(service)
    const read = async () => [
      withoutDate(await service.get('/articles/a')),
      withoutDate(await service.get(COMMENTS)),
      withoutDate(await service.get(`/comments/${root.id}/replies`)),
      withoutDate(await service.get(`/comments/${root.id}`)),
    ]
    const before = await read()
    const held = await service.post('a', 'held', { parent_id: root.id })
    t.same(await read(), before)
    await service.decide(held.id, 'pending', 'rejected')
    t.same(await read(), before)
  },
)

t.test(
  'getThread returns the state of a thread, closed once its closing time has come',
  async (t) => {
    const service = await openService(t)
    await service.post('a', 'x')
    const states = async () => {
      const { body } = await service.get(COMMENTS)
      return [(await service.get('/articles/a')).body.state, body.thread.state]
    }
    await patchThread(service, { state: 'locked' })
    t.same(await states(), ['locked', 'locked'])
    await patchThread(service, { state: 'open', closes_at: '2020-01-01T00:00:00.000Z' })
    t.same(await states(), ['closed', 'closed'])
  },
)

t.test('listThread shows the tree, newest first at every level', async (t) => {
  const service = await openService(t)
  await plant(service, { a: { a1: { x: {}, y: {} }, a2: {} }, b: {}, c: { c1: {} } })
  const { body } = await service.get(COMMENTS)
  t.equal(shape(body.items), 'c(c1) b a(a2 a1(y x))')
  t.equal(body.next_cursor, null)
  t.match(body.thread, { article_id: 'a', comment_count: 8, root_count: 3 })
})

t.test('listThread returns each comment with its place, author and counts', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { a1: {} } })
  const { body } = await service.get(COMMENTS)
  const [root] = body.items
  t.match(root, { id: ids.a, parent_id: null, depth: 0, reply_count: 1, status: 'approved' })
  t.match(root.author, { name: 'Ada', kind: 'guest', role: 'reader', url: null })
  t.equal(root.author.avatar_url, `/v1/avatars/${root.author.id}.svg`)
  t.match(root.replies.items[0], { id: ids.a1, parent_id: ids.a, depth: 1, article_id: 'a' })
  t.match(root, { body: 'a', body_html: /<p>a<\/p>/, revision: 1, score: 0, edited_at: null })
})

t.test('listThread shows the flat list, replies among the rest', async (t) => {
  const service = await openService(t)
  await plant(service, { a: { a1: {} }, b: {} })
  const { body } = await service.get(`${COMMENTS}?view=flat`)
  t.equal(bodies(body.items), 'b a1 a')
  t.notOk(body.items.some((item: any) => 'replies' in item))
  t.equal(bodies((await service.get(`${COMMENTS}?view=flat&sort=oldest`)).body.items), 'a a1 b')
})

/** In order of posting: body, upvotes, downvotes and age in hours. At equal rank the last comes first. */
const ORDERS: Record<string, { posted: string; expected: string }> = {
  newest: {
    posted: 'a 9 0 1, b 0 0 2, c 0 0 2',
    expected: 'a c b',
  },
  oldest: {
    posted: 'a 9 0 1, b 0 0 2, c 0 0 2',
    expected: 'b c a',
  },
  top: {
    posted: 'a 3 0 1, b 1 2 1, c 5 2 9, d 0 0 1, e 9 1 1',
    expected: 'e c a d b',
  },
  best: {
    posted: 'a 90 10 1, b 1 0 1, c 0 0 1, d 5 5 1, e 1 0 1',
    expected: 'a e b d c',
  },
  hot: {
    posted: 'a 10 0 12, b 10 0 13, c 1 0 0, d 0 0 0, e 0 99 0',
    expected: 'a d c b e',
  },
  controversial: {
    posted: 'a 10 10 1, b 99 9 1, c 50 0 1, d 3 3 1, e 0 9 1',
    expected: 'a d b e c',
  },
}

for (const [sort, { posted, expected }] of Object.entries(ORDERS)) {
  const rows = posted.split(', ').map((row) => row.split(' ') as [string, ...string[]])
  t.test(`sort=${sort} orders roots, replies and the flat list, ties by id`, async (t) => {
    const service = await openService(t)
    const letters = Object.fromEntries(rows.map(([body]) => [body, {}]))
    const { r } = await plant(service, { r: {} })
    const [roots, replies] = [await plant(service, letters), await plant(service, letters, r)]
    for (const [body, ...numbers] of rows) {
      const [up, down, hours] = numbers.map(Number) as [number, number, number]
      for (const id of [roots[body], replies[body]]) {
        await vote(service, id, up, down)
        await backdate(service, id, hours)
      }
    }
    const tree = (await service.get(`${COMMENTS}?sort=${sort}&replies=9`)).body.items
    t.equal(bodies(tree).replace(/ ?r ?/, ' ').trim(), expected)
    const { items } = (await service.get(`/comments/${r}/replies?sort=${sort}`)).body
    t.equal(bodies(items), expected)
    t.equal(bodies(tree.find(({ body }: any) => body === 'r').replies.items), expected)
    await service.decide(r, 'approved', 'rejected', { replies: 'same' })
    const flat = (await service.get(`${COMMENTS}?sort=${sort}&view=flat`)).body.items
    t.equal(bodies(flat), expected)
  })
}

t.test('sort=best ranks comments with down votes only like those without votes', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { hated: {}, disliked: {}, unnoticed: {}, tried: {} })
  await vote(service, ids.hated, 0, 100)
  await vote(service, ids.disliked, 0, 1)
  await vote(service, ids.tried, 1, 20)
  const { body } = await service.get(`${COMMENTS}?sort=best`)
  t.equal(bodies(body.items), 'tried unnoticed disliked hated')
})

t.test('sort=active: a reply lifts its ancestors until it is hidden', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { a1: {} }, b: {}, c: {} })
  const [order, flat] = [`${COMMENTS}?sort=active`, `${COMMENTS}?sort=active&view=flat`]
  t.equal(shape((await service.get(order)).body.items), 'c b a(a1)')
  const reply = await service.post('a', 'a2', { parent_id: ids.a })
  t.equal(shape((await service.get(order)).body.items), 'a(a2 a1) c b')
  t.equal(bodies((await service.get(flat)).body.items), 'a2 a c b a1')
  await service.decide(reply.id, 'approved', 'rejected')
  t.equal(shape((await service.get(order)).body.items), 'c b a(a1)')
})

t.test('listThread sorts by newest by default and refuses an unknown sort', async (t) => {
  const service = await openService(t)
  await plant(service, { a: {}, b: {} })
  const [plain, named] = [await service.get(COMMENTS), await service.get(`${COMMENTS}?sort=newest`)]
  t.equal(plain.text, named.text)
  t.match(await service.get(`${COMMENTS}?sort=random`), {
    status: 400,
    body: { code: 'invalid_request' },
  })
})

t.test('listThread refuses limits out of bounds and doubled or unknown parameters', async (t) => {
  const { get } = await openService(t)
  const wrong = [
    'limit=0',
    'limit=101',
    'depth=0',
    'depth=11',
    'replies=51',
    'replies=-1',
    'page=2',
  ]
  for (const query of [...wrong, 'limit=2&limit=3', 'limit=1.5', 'view=list', 'at_least=x']) {
    const answer = await get(`${COMMENTS}?${query}`)
    t.match(answer, { status: 400, body: { code: 'invalid_request' } }, query)
  }
})

t.test('listThread: limit counts roots, and next_cursor continues', async (t) => {
  const service = await openService(t)
  await plant(service, { a: { a1: {} }, b: {}, c: { c1: {} } })
  const first = (await service.get(`${COMMENTS}?limit=2`)).body
  t.equal(shape(first.items), 'c(c1) b')
  const second = (await service.get(`${COMMENTS}?limit=2&cursor=${first.next_cursor}`)).body
  t.equal(shape(second.items), 'a(a1)')
  t.equal(second.next_cursor, null)
})

t.test('listThread: a list that ends with its page has no next_cursor', async (t) => {
  const service = await openService(t)
  await plant(service, { a: { a1: {}, a2: {} }, b: {} })
  const { body } = await service.get(`${COMMENTS}?limit=2&replies=2`)
  t.equal(shape(body.items), 'b a(a2 a1)')
  t.equal(body.next_cursor, null)
  t.match(body.items[1].replies, { next_cursor: null, remaining: 0 })
})

t.test(
  'listThread: replies limits each parent, and its next_cursor continues in listReplies',
  async (t) => {
    const service = await openService(t)
    const ids = await plant(service, { a: { a1: {}, a2: {}, a3: {}, a4: {}, a5: {} } })
    const { items } = (await service.get(`${COMMENTS}?replies=2`)).body
    t.equal(shape(items), 'a(a5 a4 +3)')
    const path = `/comments/${ids.a}/replies?limit=2&cursor=`
    const second = (await service.get(path + items[0].replies.next_cursor)).body
    t.equal(shape(second.items), 'a3 a2')
    const third = (await service.get(path + second.next_cursor)).body
    t.equal(shape(third.items), 'a1')
    t.equal(third.next_cursor, null)
  },
)

t.test('listThread: replies=0 shows none, and its next_cursor starts at the first', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { a1: {}, a2: {} } })
  const { items } = (await service.get(`${COMMENTS}?replies=0&sort=oldest`)).body
  t.equal(shape(items), 'a(+2)')
  const cursor = items[0].replies.next_cursor
  t.equal(
    shape((await service.get(`/comments/${ids.a}/replies?cursor=${cursor}`)).body.items),
    'a1 a2',
  )
})

t.test(
  'listThread: below depth, next_cursor and listReplies without a cursor start alike',
  async (t) => {
    const service = await openService(t)
    const ids = await plant(service, { a: { b: { c: { d: { e: {} } }, c2: {} } } })
    const { items } = (await service.get(`${COMMENTS}?depth=2`)).body
    t.equal(shape(items), 'a(b(+2))')
    const { next_cursor } = items[0].replies.items[0].replies
    const path = `/comments/${ids.b}/replies?depth=2`
    const continued = await service.get(`${path}&cursor=${next_cursor}`)
    t.equal(shape(continued.body.items), 'c2 c(d(+1))')
    t.equal((await service.get(path)).text, continued.text)
  },
)

t.test(
  'the field depth is absolute, the parameter depth of listReplies counts from the first level',
  async (t) => {
    const service = await openService(t)
    const ids = await plant(service, { a: { b: { c: { d: {} } } } })
    const { items } = (await service.get(`/comments/${ids.b}/replies?depth=1`)).body
    t.equal(shape(items), 'c(+1)')
    t.match(items[0], { depth: 2, parent_id: ids.b })
  },
)

t.test('a reply cursor keeps the sort of the page it came from', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { a1: {}, a2: {}, a3: {} } })
  await vote(service, ids.a2, 5)
  const { items } = (await service.get(`${COMMENTS}?replies=1&sort=top`)).body
  t.equal(shape(items), 'a(a2 +2)')
  const path = `/comments/${ids.a}/replies?cursor=${items[0].replies.next_cursor}`
  t.equal(shape((await service.get(path)).body.items), 'a3 a1')
  t.equal(shape((await service.get(`${path}&sort=top`)).body.items), 'a3 a1')
  t.match(await service.get(`${path}&sort=newest`), {
    status: 400,
    body: { code: 'invalid_cursor' },
  })
})

t.test('listReplies of a comment that is not shown gives 404', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: {}, b: {} })
  await service.decide(ids.a, 'approved', 'rejected')
  for (const id of [ids.a, ABSENT, 'nonsense']) {
    t.match(await service.get(`/comments/${id}/replies`), {
      status: 404,
      body: { code: 'not_found' },
    })
  }
})

t.test('a cursor is valid under other limits', async (t) => {
  const service = await openService(t)
  await plant(service, { a: {}, b: { b1: { b2: {} } }, c: {} })
  const { next_cursor } = (await service.get(`${COMMENTS}?limit=1&depth=1&replies=0`)).body
  const answer = await service.get(`${COMMENTS}?limit=9&depth=2&replies=9&cursor=${next_cursor}`)
  t.equal(shape(answer.body.items), 'b(b1(+1)) a')
})

t.test('a cursor is bound to article, view and sort', async (t) => {
  const service = await openService(t)
  await plant(service, { a: { a1: {}, a2: {} }, b: {} })
  await service.post('other', 'x')
  const { next_cursor: tree } = (await service.get(`${COMMENTS}?limit=1`)).body
  const { next_cursor: flat } = (await service.get(`${COMMENTS}?limit=1&view=flat`)).body
  const wrong = [
    `${COMMENTS}?view=flat&cursor=${tree}`,
    `${COMMENTS}?cursor=${flat}`,
    `${COMMENTS}?sort=oldest&cursor=${tree}`,
    `/articles/other/comments?cursor=${tree}`,
    `/articles/absent/comments?cursor=${tree}`,
  ]
  for (const path of wrong) {
    t.match(await service.get(path), { status: 400, body: { code: 'invalid_cursor' } }, path)
  }
})

t.test('a cursor is bound to its operation, parent and site', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { a1: {}, a2: {} }, b: { b1: {} } })
  await insertSite(service.db, { slug: 'other', name: 'Other' })
  const { next_cursor: roots } = (await service.get(`${COMMENTS}?limit=1`)).body
  const { next_cursor: replies } = (await service.get(`/comments/${ids.a}/replies?limit=1`)).body
  const { next_cursor: recent } = (await service.get('/comments?limit=1')).body
  const wrong = [
    `/default/comments/${ids.b}/replies?cursor=${replies}`,
    `/default/comments/${ids.a}/replies?cursor=${roots}`,
    `/default${COMMENTS}?cursor=${replies}`,
    `/default${COMMENTS}?cursor=${recent}`,
    `/other${COMMENTS}?cursor=${roots}`,
  ]
  for (const path of wrong) {
    const answer = await service.call('GET', `/v1/sites${path}`)
    t.match(answer, { status: 400, body: { code: 'invalid_cursor' } }, path)
  }
})

t.test('a cursor with any character changed is refused', async (t) => {
  const service = await openService(t)
  await plant(service, { a: {}, b: {} })
  const cursor: string = (await service.get(`${COMMENTS}?limit=1`)).body.next_cursor
  const tampered = Array.from(
    cursor,
    (char, at) => cursor.slice(0, at) + other(char) + cursor.slice(at + 1),
  )
  const foreign = [
    '',
    'x',
    '=',
    'null',
    `${cursor}A`,
    `${cursor}=`,
    cursor.slice(1),
    'A'.repeat(500),
  ]
  for (const bad of [...tampered, ...foreign]) {
    const { status, body } = await service.get(`${COMMENTS}?cursor=${encodeURIComponent(bad)}`)
    t.same([status, body.code], [400, 'invalid_cursor'], bad)
  }
})

const other = (char: string): string => (char === 'A' ? 'B' : 'A')

t.test('the Link header leads to the next page as printed', async (t) => {
  const service = await openService(t)
  for (const body of ['a', 'b', 'c']) await service.post('2024/é?&#a b', body)
  const article = encodeURIComponent('2024/é?&#a b')
  const first = await service.get(`/articles/${article}/comments?limit=1&sort=oldest&view=flat`)
  const second = await service.call('GET', nextLink(first.headers.link))
  const third = await service.call('GET', nextLink(second.headers.link))
  t.equal([first, second, third].map(({ body }) => bodies(body.items)).join(' '), 'a b c')
  t.equal(third.headers.link, undefined)
})

t.test(
  'the Link header leads on from a page with at_least, with focus, and through replies',
  async (t) => {
    const service = await openService(t)
    const ids = await plant(service, { a: { a1: {}, a2: {} }, b: {}, c: {} })
    const { version } = (await service.get('/articles/a')).body
    const queries = [
      `${COMMENTS}?limit=1&at_least=${version}`,
      `${COMMENTS}?limit=1&focus=${ids.c}`,
    ]
    for (const path of queries) {
      const next = await service.call('GET', nextLink((await service.get(path)).headers.link))
      t.equal(shape(next.body?.items ?? []), 'b', path)
    }
    const replies = await service.get(`/comments/${ids.a}/replies?limit=1`)
    t.equal(shape((await service.call('GET', nextLink(replies.headers.link))).body.items), 'a1')
  },
)

t.test('focus starts every list on the way at the path', async (t) => {
  const service = await openService(t)
  const below = { x1: {}, x2: { y1: {}, y2: {}, y3: {} }, x3: {} }
  const ids = await plant(service, { a: {}, b: below, c: {} })
  const { body } = await service.get(`${COMMENTS}?focus=${ids.y2}&limit=2&replies=2`)
  t.equal(shape(body.items), 'b(x2(y2 y1 +1) x1 +1) a')
  t.equal(body.next_cursor, null)
  const oldest = await service.get(`${COMMENTS}?focus=${ids.y2}&limit=1&replies=2&sort=oldest`)
  t.equal(shape(oldest.body.items), 'b(x2(y2 y3 +1) x3 +1)')
})

t.test('focus shows the whole path beyond depth, replies and page', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { b: { c: { d: { e: { f: {}, g: {} } } } } }, z: {} })
  const { body } = await service.get(
    `${COMMENTS}?focus=${ids.f}&limit=1&depth=1&replies=0&sort=newest`,
  )
  t.equal(shape(body.items), 'a(b(c(d(e(f +1)))))')
  for (const sort of SORTS) {
    const { items } = (await service.get(`${COMMENTS}?focus=${ids.e}&depth=2&sort=${sort}`)).body
    t.match(shape(items), /^a\(b\(c\(d\(e\(\+2\)\)\)\)\)/, sort)
  }
})

t.test('pages with focus continue after the path', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: {}, b: { b1: {}, b2: {}, b3: {} }, c: {} })
  const { body } = await service.get(`${COMMENTS}?focus=${ids.b2}&limit=1&replies=1`)
  t.equal(shape(body.items), 'b(b2 +2)')
  t.equal(shape((await service.get(`${COMMENTS}?cursor=${body.next_cursor}`)).body.items), 'a')
  const { next_cursor } = body.items[0].replies
  const rest = await service.get(`/comments/${ids.b}/replies?cursor=${next_cursor}`)
  t.equal(shape(rest.body.items), 'b1')
})

t.test('focus on a comment that this thread does not show gives 404', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: {}, gone: {} })
  const elsewhere = await service.post('other', 'x')
  await service.decide(ids.gone, 'approved', 'rejected')
  const { threadId, id: commentId } = IDS.readComment(ids.a)!
  const disguised = IDS.writeComment({ threadId: threadId + 1, id: commentId })
  for (const id of [ids.gone, elsewhere.id, ABSENT, 'nonsense', disguised]) {
    const { status, body } = await service.get(`${COMMENTS}?focus=${id}`)
    t.same([status, body.code], [404, 'not_found'], id)
  }
  t.equal((await service.get(`/articles/absent/comments?focus=${ids.a}`)).status, 404)
})

t.test('focus goes with the first page of the tree only', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: {}, b: {} })
  const { next_cursor } = (await service.get(`${COMMENTS}?limit=1`)).body
  for (const query of ['view=flat', `cursor=${next_cursor}`]) {
    const answer = await service.get(`${COMMENTS}?focus=${ids.a}&${query}`)
    t.match(answer, { status: 400, body: { code: 'invalid_request' } })
  }
})

t.test('a tombstone below a tombstone keeps the place of a visible reply', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { b: { c: {} } }, d: {} })
  await service.decide(ids.a, 'approved', 'rejected')
  await service.decide(ids.b, 'approved', 'spam')
  const { body } = await service.get(COMMENTS)
  t.equal(shape(body.items), 'd †(†(c))')
  t.match(body.thread, { comment_count: 2, root_count: 1 })
  const { replies: _, ...tombstone } = body.items[1]
  t.match(tombstone, { id: ids.a, status: 'deleted', author: null, body: null, body_html: null })
  t.match(tombstone, { reply_count: 1, depth: 0, parent_id: null, score: 0, published_at: null })
  t.equal(shape((await service.get(`/comments/${ids.a}/replies`)).body.items), '†(c)')
})

t.test('flat views omit tombstones', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { b: { c: {} } }, d: {} })
  await service.decide(ids.a, 'approved', 'rejected')
  await service.decide(ids.b, 'approved', 'deleted')
  for (const sort of SORTS) {
    const { body } = await service.get(`${COMMENTS}?view=flat&sort=${sort}`)
    t.same(bodies(body.items).split(' ').sort(), ['c', 'd'], sort)
  }
})

t.test('a tombstone disappears with its last visible reply, and comes back with it', async (t) => {
  const service = await openService(t)
  const ids = await plant(service, { a: { b: { c: {} } }, d: {} })
  await service.decide(ids.a, 'approved', 'rejected')
  await service.decide(ids.b, 'approved', 'rejected')
  await service.decide(ids.c, 'approved', 'rejected')
  t.equal(shape((await service.get(COMMENTS)).body.items), 'd')
  await service.decide(ids.c, 'rejected', 'approved')
  t.equal(shape((await service.get(COMMENTS)).body.items), 'd †(†(c))')
  await service.decide(ids.a, 'rejected', 'approved')
  t.equal(shape((await service.get(COMMENTS)).body.items), 'd a(†(c))')
})

t.test(
  'every thread read has a strong entity tag that gives 304 until something changes',
  async (t) => {
    const service = await openService(t)
    const ids = await plant(service, { a: { a1: {} } })
    const paths = ['/articles/a', COMMENTS, `${COMMENTS}?view=flat`, `/comments/${ids.a}/replies`]
    for (const path of [...paths, `/comments/${ids.a}`, `/comments/${ids.a}?context=1`]) {
      const first = await service.get(path)
      t.match(first.headers, {
        etag: /^"[^"]+"$/,
        'cache-control': 'public, max-age=0, must-revalidate',
      })
      const headers = { 'if-none-match': first.headers.etag }
      const same = await service.get(path, { headers })
      t.same([same.status, same.text, same.headers.etag], [304, '', first.headers.etag], path)
      await service.post('a', 'news', { parent_id: ids.a })
      const changed = await service.get(path, { headers })
      t.equal(changed.status, 200, path)
      t.not(changed.headers.etag, first.headers.etag, path)
    }
  },
)

t.test('an absent thread has an entity tag', async (t) => {
  const { get } = await openService(t)
  for (const path of ['/articles/a', COMMENTS]) {
    const { headers } = await get(path)
    const again = await get(path, { headers: { 'if-none-match': headers.etag } })
    t.equal(again.status, 304, path)
  }
})

t.test('If-None-Match may be a list, weak, or a star', async (t) => {
  const service = await openService(t)
  await plant(service, { a: {} })
  const { etag } = (await service.get(COMMENTS)).headers
  const status = async (tags: string) =>
    (await service.get(COMMENTS, { headers: { 'if-none-match': tags } })).status
  for (const tags of [`"x", ${etag}`, `W/${etag}`, `"x",W/${etag} , "y"`, '*']) {
    t.equal(await status(tags), 304, tags)
  }
  for (const tags of ['"x"', String(etag).replaceAll('"', ''), '']) t.equal(await status(tags), 200)
})

t.test('different queries have different entity tags', async (t) => {
  const service = await openService(t)
  await plant(service, { a: { a1: {} }, b: {} })
  const queries = ['', 'view=flat', 'sort=oldest', 'limit=1', 'depth=1', 'replies=0', 'sort=top']
  const tags = queries.map(
    async (query) => (await service.get(`${COMMENTS}?${query}`)).headers.etag,
  )
  t.equal(new Set(await Promise.all(tags)).size, queries.length)
})

t.test('a caller with a token gets a private response that no cache keeps', async (t) => {
  const service = await openService(t)
  const { id, guest_token } = await service.post('a', 'x')
  const { etag } = (await service.get(COMMENTS)).headers
  const headers = { 'if-none-match': etag }
  const paths = ['/articles/a', COMMENTS, `/comments/${id}/replies`, `/comments/${id}`, '/comments']
  for (const token of [guest_token, service.adminKey]) {
    for (const path of paths) {
      const answer = await service.get(path, { token, headers })
      t.equal(answer.status, 200, path)
      t.equal(answer.headers['cache-control'], 'private, no-store', path)
      t.equal(answer.headers.etag, undefined, path)
    }
  }
})

t.test('an unknown token gives 401 on a public read', async (t) => {
  const { get } = await openService(t)
  const answer = await get(COMMENTS, { token: 'x'.repeat(40) })
  t.match(answer, { status: 401, body: { code: 'invalid_token' } })
})

t.test('at_least takes the version of a write and refuses an unknown one', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  const path = '/v1/sites/default/articles/a/comments'
  const posted = await service.call('POST', path, { body: { body: 'y', author: { name: 'Bo' } } })
  const version = Number(posted.headers['thread-version'])
  for (const read of ['/articles/a', COMMENTS, `/comments/${id}/replies`, `/comments/${id}`]) {
    t.equal((await service.get(`${read}?at_least=${version}`)).status, 200, read)
    const future = await service.get(`${read}?at_least=${version + 1}`)
    t.match(future, { status: 400, body: { code: 'invalid_request' } }, read)
  }
  t.equal((await service.get('/articles/a')).body.version, version)
})

/** `roots` roots with `replies` replies each, without their history. */
const seed = async ({ db, post }: TestService, roots: number, replies: number): Promise<void> => {
  const { threadId } = IDS.readComment((await post('a', 'first')).id)!
  const insert = (parents: any, times: number) => sql`
    insert into comments (site_id, thread_id, parent_id, depth, author_id, status, created_at,
      published_at, body, body_html, renderer)
    select c.site_id, c.thread_id, ${parents}, c.author_id, 'approved', c.created_at,
      c.published_at, 'x', 'x', 1
    from comments c cross join generate_series(1, ${times}) where c.thread_id = ${threadId}`
  await insert(sql`0, 0`, roots - 1).execute(db)
  await insert(sql`c.id, 1`, replies).execute(db)
  await sql.raw(FILL_TALLIES).execute(db)
  await sql`update comment_tallies set reply_count = ${replies} where parent_id = 0`.execute(db)
  await sql`update threads set comment_count = ${roots * (1 + replies)}, root_count = ${roots},
    version = version + 1 where id = ${threadId}`.execute(db)
}

t.test('a page has at most 500 comments, and a continuation for the rest', async (t) => {
  const service = await openService(t)
  await seed(service, 60, 10)
  const { body } = await service.get(`${COMMENTS}?limit=100&replies=50&depth=10`)
  t.equal(countBranches(body.items), 500)
  t.equal(body.items.length, 60)
  const remaining = body.items.map(({ replies }: any) => replies.remaining)
  t.equal(
    remaining.reduce((a: number, b: number) => a + b),
    160,
  )
  for (const { id, replies } of body.items.filter((item: any) => item.replies.remaining > 0)) {
    const path = `/comments/${id}/replies?cursor=${replies.next_cursor}`
    t.equal((await service.get(path)).body.items.length, replies.remaining)
  }
})

t.test(
  'a flat page, a page of replies and a page with focus have at most 500 comments',
  async (t) => {
    const service = await openService(t)
    await seed(service, 100, 9)
    t.equal((await service.get(`${COMMENTS}?view=flat&limit=100`)).body.items.length, 100)
    const { items } = (await service.get(`${COMMENTS}?view=flat&sort=oldest&limit=100`)).body
    const last = items.findLast((item: any) => item.depth === 0).id
    const page = (await service.get(`${COMMENTS}?limit=100&replies=50&focus=${last}`)).body.items
    t.equal(page[0].id, last)
    t.ok(countBranches(page) <= 500)
  },
)
