import { sql } from 'kysely'
import t from 'tap'
import { ABSENT } from '../ids.ts'
import { recount } from '../recount.ts'
import { openService, suggest, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

const asModerator = ({ call, adminKey: token }: TestService) => ({
  move: (id: string, body: object, headers = {}) =>
    call('POST', `${SITE}/comments/${id}/moves`, { token, body, headers }),
  merge: (article: string, into: string, headers = {}) =>
    call('POST', `${SITE}/articles/${article}/merges`, { token, body: { into }, headers }),
})

/** The tree as nested lists of bodies: a tombstone is a cross. */
const treeOf = async ({ get }: TestService, article: string, more = ''): Promise<unknown> => {
  const outline = (items: Json[]): unknown =>
    items.map((c) => [
      c.body ?? '✝',
      ...(c.replies.items.length > 0 ? [outline(c.replies.items)] : []),
    ])
  const path = `/articles/${article}/comments?sort=oldest&depth=10${more}`
  return outline((await get(path)).body.items)
}

const countsOf = async ({ get }: TestService, article: string) => {
  const { body } = await get(`/articles/${article}`)
  return [body.comment_count, body.root_count, body.last_comment_at]
}

/** An answer in a few words: its status, and why not. */
const said = ({ status, body }: { status: number; body: any }): string =>
  status < 400 ? `${status}` : `${status} ${body.code}`

/** Two threads: `a` has root ← reply ← nested and another root; `b` has one root. */
const plant = async ({ post }: TestService) => {
  const target = await post('b', 'target')
  const root = await post('a', 'root')
  const reply = await post('a', 'reply', { parent_id: root.id })
  const nested = await post('a', 'nested', { parent_id: reply.id })
  const other = await post('a', 'other')
  return { root, reply, nested, other, target }
}

t.test('moveComment takes replies along, and the counts of both threads stay true', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { reply, nested, other, target } = await plant(service)
  const { status, body, headers } = await move(reply.id, { article_id: 'b', parent_id: target.id })
  t.equal(status, 201)
  t.match(body, {
    action: 'move',
    comment_id: reply.id,
    before: { article_id: 'a', parent_id: reply.parent_id },
    after: { article_id: 'b', parent_id: target.id },
  })
  t.same(await treeOf(service, 'a'), [['root'], ['other']])
  t.same(await treeOf(service, 'b'), [['target', [['reply', [['nested']]]]]])
  t.same(await countsOf(service, 'a'), [2, 2, other.created_at])
  t.same(await countsOf(service, 'b'), [3, 1, nested.created_at])
  const at = headers['thread-version']
  t.equal((await service.get(`/articles/b?at_least=${at}`)).status, 200)
  t.equal((await service.get(`/comments/${reply.id}?at_least=${at}`)).status, 200)
  t.same(await recount(service.db), [])
})

t.test('moveComment moves a comment within its thread, to a parent and to the roots', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { root, reply, nested, other } = await plant(service)
  t.equal((await move(nested.id, { article_id: 'a', parent_id: root.id })).status, 201)
  t.same(await treeOf(service, 'a'), [['root', [['reply'], ['nested']]], ['other']])
  t.same(await recount(service.db), [])
  t.equal((await move(reply.id, { article_id: 'a' })).status, 201)
  t.same(await treeOf(service, 'a'), [['root', [['nested']]], ['reply'], ['other']])
  t.same(await countsOf(service, 'a'), [4, 3, other.created_at])
  t.equal((await move(other.id, { article_id: 'a', parent_id: reply.id })).status, 201)
  t.same(await treeOf(service, 'a'), [
    ['root', [['nested']]],
    ['reply', [['other']]],
  ])
  t.same(await countsOf(service, 'a'), [4, 2, other.created_at])
  t.equal((await service.get(`/comments/${other.id}`)).body.depth, 1)
  t.same(await recount(service.db), [])
})

t.test('moveComment creates the target thread, and moves into a closed one', async (t) => {
  const service = await openService(t)
  const { call, adminKey: token } = service
  const { move } = asModerator(service)
  const { root, other } = await plant(service)
  t.equal((await move(other.id, { article_id: 'new' })).status, 201)
  t.same(await treeOf(service, 'new'), [['other']])
  for (const state of ['closed', 'locked'])
    await call('PATCH', `${SITE}/articles/b`, { token, body: { state } })
  t.equal((await move(root.id, { article_id: 'b' })).status, 201)
  t.same(await treeOf(service, 'b'), [['target'], ['root', [['reply', [['nested']]]]]])
  t.same(await treeOf(service, 'a'), [])
  t.same(await countsOf(service, 'a'), [0, 0, null])
  t.same(await recount(service.db), [])
})

t.test('moveComment adds and removes tombstones on both sides', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { root, reply, nested, target } = await plant(service)
  await service.decide(root.id, 'approved', 'spam')
  await service.decide(reply.id, 'approved', 'rejected')
  t.same(await treeOf(service, 'a'), [['✝', [['✝', [['nested']]]]], ['other']])
  t.equal((await move(reply.id, { article_id: 'b', parent_id: target.id })).status, 201)
  t.same(await treeOf(service, 'a'), [['other']])
  t.same(await treeOf(service, 'b'), [['target', [['✝', [['nested']]]]]])
  t.same(await recount(service.db), [])
  t.equal((await move(nested.id, { article_id: 'a' })).status, 201)
  t.same(await treeOf(service, 'a'), [['nested'], ['other']])
  t.same(await treeOf(service, 'b'), [['target']])
  t.same(await recount(service.db), [])
})

t.test('moveComment of a hidden comment changes nothing for readers', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { other } = await plant(service)
  await service.decide(other.id, 'approved', 'pending')
  const before = [await service.get('/articles/a'), await service.get('/articles/b')]
  const { headers } = await move(other.id, { article_id: 'b' })
  t.notOk(headers['thread-version'])
  const after = [await service.get('/articles/a'), await service.get('/articles/b')]
  t.same(
    after.map(({ text }) => text),
    before.map(({ text }) => text),
  )
  t.equal((await service.get(`/comments/${other.id}`)).status, 404)
  t.equal((await service.decide(other.id, 'pending', 'approved')).status, 201)
  t.same(await treeOf(service, 'b'), [['target'], ['other']])
  t.same(await recount(service.db), [])
})

t.test('moveComment refuses impossible moves and changes nothing', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { call, adminKey: token, post, decide } = service
  const { root, reply, nested, other, target } = await plant(service)
  const young = await post('b', 'young')
  const hidden = await post('b', 'hidden')
  const late = await post('a', 'late', { parent_id: root.id })
  await decide(hidden.id, 'approved', 'rejected')
  for (const [id, to, expected] of [
    [ABSENT, { article_id: 'b' }, '404 not_found'],
    ['nonsense', { article_id: 'b' }, '404 not_found'],
    [root.id, { article_id: 'b', parent_id: young.id }, '409 move_not_allowed'],
    [root.id, { article_id: 'a', parent_id: nested.id }, '409 move_not_allowed'],
    [root.id, { article_id: 'a', parent_id: root.id }, '409 move_not_allowed'],
    [late.id, { article_id: 'b', parent_id: hidden.id }, '422 parent_not_found'],
    [late.id, { article_id: 'b', parent_id: other.id }, '422 parent_not_found'],
    [late.id, { article_id: 'b', parent_id: ABSENT }, '422 parent_not_found'],
    [late.id, { article_id: 'new', parent_id: 'nonsense' }, '422 parent_not_found'],
    [late.id, { article_id: 'a', parent_id: root.id }, '400 invalid_request'],
    [root.id, { article_id: 'a' }, '400 invalid_request'],
    [root.id, { article_id: '' }, '400 invalid_request'],
    [root.id, {}, '400 invalid_request'],
    [root.id, { article_id: 'b', parent: null }, '400 invalid_request'],
  ] as const)
    t.equal(said(await move(id, to)), expected, JSON.stringify([id, to]))
  await call('PATCH', SITE, { token, body: { max_depth: 2 } })
  const deep = await move(reply.id, { article_id: 'b', parent_id: target.id })
  t.equal(said(deep), '201', 'as deep as allowed')
  const under = await post('b', 'under', { parent_id: young.id })
  await post('b', 'below', { parent_id: under.id })
  const deeper = await post('b', 'deeper')
  await post('b', 'deepest', { parent_id: deeper.id })
  t.equal(
    said(await move(deeper.id, { article_id: 'b', parent_id: under.id })),
    '422 depth_exceeded',
  )
  const rows = await service.db.selectFrom('threads').selectAll().execute()
  t.equal(rows.length, 2, 'no thread was made')
  t.same(await recount(service.db), [])
})

t.test('every operation takes the first id of a moved comment', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { call, get, post, decide, adminKey } = service
  const { reply, nested, target } = await plant(service)
  const author = { token: nested.guest_token }
  const cursors = await get(`/comments/${reply.id}/replies?limit=1`)
  await move(reply.id, { article_id: 'b', parent_id: target.id })
  const found = (await get(`/comments/${nested.id}?context=5`)).body
  t.match(found, { id: nested.id, article_id: 'b', parent_id: reply.id, depth: 2 })
  t.same(
    found.ancestors.map((c: Json) => [c.id, c.parent_id]),
    [
      [target.id, null],
      [reply.id, target.id],
    ],
  )
  t.match((await get(`/comments/${reply.id}/replies`)).body.items, [{ id: nested.id }])
  t.equal(cursors.status, 200)
  const focused = await get(`/articles/b/comments?focus=${nested.id}`)
  t.match(focused.body.items[0].replies.items[0].replies.items, [{ id: nested.id }])
  t.equal((await get(`/articles/a/comments?focus=${nested.id}`)).status, 404)
  const edit = await call('PATCH', `${SITE}/comments/${nested.id}`, {
    ...author,
    body: { body: 'edited' },
  })
  t.match(edit, { status: 200, body: { id: nested.id, parent_id: reply.id } })
  const revisions = await get(`/comments/${nested.id}/revisions`, { token: adminKey })
  t.match(revisions.body.items, [{ body: 'nested' }])
  const voter = { token: target.guest_token }
  const vote = { ...voter, body: { value: 1 } }
  const voted = await call('PUT', `${SITE}/comments/${nested.id}/vote`, vote)
  t.match(voted, { status: 200, body: { comment_id: nested.id, upvotes: 1 } })
  const flag = { ...voter, body: { reason: 'spam' } }
  t.equal((await call('POST', `${SITE}/comments/${nested.id}/flags`, flag)).status, 201)
  t.same((await get('/articles/b/viewer', voter)).body.votes, { [nested.id]: 1 })
  const answer = await post('b', 'an answer', { parent_id: nested.id })
  t.match(answer, { parent_id: nested.id, depth: 3 })
  t.match((await get(`/comments/${answer.id}`)).body, { parent_id: nested.id })
  t.match(await decide(nested.id, 'approved', 'pending'), {
    status: 201,
    body: { comment_id: nested.id },
  })
  const own = await get(`/comments/${nested.id}`, author)
  t.match(own.body, { id: nested.id, status: 'pending' })
  t.match((await get('/articles/b/viewer', author)).body.pending, [{ id: nested.id }])
  const queue = await get('/moderation/comments', { token: adminKey })
  t.match(queue.body.items, [{ id: nested.id, parent_id: reply.id, article: { id: 'b' } }])
  t.equal((await call('DELETE', `${SITE}/comments/${nested.id}`, author)).status, 204)
  t.equal((await call('DELETE', `${SITE}/comments/${nested.id}`, author)).status, 204)
  const decisions = await get(`/moderation/decisions?comment_id=${nested.id}`, { token: adminKey })
  t.match(decisions.body.items, [{ comment_id: nested.id, to: 'pending' }])
  t.same(await recount(service.db), [])
})

t.test('a comment keeps its id through any number of moves and its way back', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { root, reply, nested } = await plant(service)
  for (const article of ['b', 'c', 'b', 'a', 'c']) {
    t.equal((await move(reply.id, { article_id: article })).status, 201)
    t.match((await service.get(`/comments/${reply.id}`)).body, {
      id: reply.id,
      article_id: article,
    })
    t.match((await service.get(`/comments/${nested.id}`)).body, {
      article_id: article,
      parent_id: reply.id,
    })
    t.same(await recount(service.db), [])
  }
  t.equal((await move(reply.id, { article_id: 'a', parent_id: root.id })).status, 201)
  const { rows } = await sql`
    select 1 from comments where num_nonnulls(home_thread_id, parent_home_thread_id) > 0`.execute(
    service.db,
  )
  t.same(rows, [], 'at home all is as it was')
})

t.test('a reply below a moved comment moves on with it, each with its own id', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { reply } = await plant(service)
  await move(reply.id, { article_id: 'b' })
  const answer = await service.post('b', 'answer', { parent_id: reply.id })
  await move(reply.id, { article_id: 'c' })
  t.match((await service.get(`/comments/${answer.id}?context=1`)).body, {
    id: answer.id,
    article_id: 'c',
    parent_id: reply.id,
    ancestors: [{ id: reply.id }],
  })
  const taken = await service.decide(reply.id, 'approved', 'rejected', { replies: 'same' })
  t.equal(taken.status, 201)
  const token = service.adminKey
  const { items } = (await service.get('/moderation/decisions', { token })).body
  const rejected = items.filter(({ to }: Json) => to === 'rejected')
  t.ok(rejected.some((decision: Json) => decision.comment_id === answer.id))
  t.same(await recount(service.db), [])
})

t.test('a hidden moved comment is like an absent one', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { call, get, decide } = service
  const { other, target } = await plant(service)
  await move(other.id, { article_id: 'b' })
  await decide(other.id, 'approved', 'rejected')
  const voter = { token: target.guest_token }
  const ask = async (id: string) => [
    await get(`/comments/${id}`),
    await get(`/comments/${id}/replies`),
    await call('PUT', `${SITE}/comments/${id}/vote`, { ...voter, body: { value: 1 } }),
    await call('POST', `${SITE}/comments/${id}/flags`, { ...voter, body: { reason: 'spam' } }),
    await call('PATCH', `${SITE}/comments/${id}`, { ...voter, body: { body: 'x' } }),
    await call('DELETE', `${SITE}/comments/${id}`, voter),
  ]
  const [hidden, absent] = [await ask(other.id), await ask(ABSENT)]
  t.same(
    hidden.map(({ status, text }) => [status, text]),
    absent.map(({ status, text }) => [status, text]),
  )
})

t.test('the lists of a site show the present article of a moved comment', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { get } = service
  const { other, nested } = await plant(service)
  await move(other.id, { article_id: 'b' })
  const places = async (path: string) =>
    (await get(path)).body.items.map((c: Json) => [c.id, c.article.id])
  t.same((await places('/comments?limit=1'))[0], [other.id, 'b'])
  t.same(await places(`/authors/${other.author.id}/comments`), [[other.id, 'b']])
  t.notOk((await places('/comments?article_id=a')).flat().includes(other.id))
  t.ok((await places('/comments?article_id=b')).flat().includes(other.id))
  const { body: counts } = await get('/counts?article_id=a&article_id=b')
  t.match(counts, { a: { comment_count: 3 }, b: { comment_count: 2 } })
  const token = nested.guest_token
  const vote = { token, body: { value: 1 } }
  await service.call('PUT', `${SITE}/comments/${other.id}/vote`, vote)
  const { body: held } = await get(`/authors/${nested.author.id}/export`, { token })
  t.match(held.votes, [{ comment_id: other.id }])
})

t.test('moveComment takes votes, flags and revisions along', async (t) => {
  const service = await openService(t)
  const { move } = asModerator(service)
  const { call, get, adminKey: token } = service
  const { reply, target } = await plant(service)
  const voter = { token: target.guest_token }
  await call('PUT', `${SITE}/comments/${reply.id}/vote`, { ...voter, body: { value: -1 } })
  const flag = { reason: 'spam', note: 'a flag' }
  await call('POST', `${SITE}/comments/${reply.id}/flags`, { ...voter, body: flag })
  await call('PATCH', `${SITE}/comments/${reply.id}`, { token, body: { body: 'edited' } })
  await move(reply.id, { article_id: 'b' })
  t.match((await get(`/comments/${reply.id}`)).body, { downvotes: 1, body: 'edited', revision: 2 })
  const { items } = (await get('/moderation/comments?flagged=true', { token })).body
  t.match(items, [{ id: reply.id, flag_count: 1, flags: [flag] }])
  await call('PUT', `${SITE}/comments/${reply.id}/vote`, { ...voter, body: { value: 1 } })
  t.match((await get(`/comments/${reply.id}`)).body, { downvotes: 0, upvotes: 1 })
  t.same(await recount(service.db), [])
})

t.test(
  'the article title sent with a held comment names no other article after a move',
  async (t) => {
    const service = await openService(t)
    const { move } = asModerator(service)
    const { call, adminKey: token } = service
    await call('PATCH', SITE, { token, body: { moderation: 'pre' } })
    const held = await service.post('a', 'held', ...suggest('Of a'))
    await move(held.id, { article_id: 'b' })
    await service.decide(held.id, 'pending', 'approved')
    t.equal((await service.get('/articles/b')).body.title, null)
  },
)

t.test(
  'moveComment has one effect per Idempotency-Key, also when repeated after another move',
  async (t) => {
    const service = await openService(t)
    const { move } = asModerator(service)
    const { other } = await plant(service)
    const headers = { 'idempotency-key': 'a-key-for-one-move' }
    const first = await move(other.id, { article_id: 'b' }, headers)
    await move(other.id, { article_id: 'c' })
    const again = await move(other.id, { article_id: 'b' }, headers)
    t.equal(again.text, first.text)
    t.equal((await service.get(`/comments/${other.id}`)).body.article_id, 'c')
    const token = service.adminKey
    const { items } = (await service.get(`/moderation/decisions?comment_id=${other.id}`, { token }))
      .body
    t.equal(items.length, 2)
  },
)

t.test('mergeThreads brings all of a thread into another, and closes it', async (t) => {
  const service = await openService(t)
  const { merge } = asModerator(service)
  const { get, post } = service
  const { root, reply, nested, other, target } = await plant(service)
  await service.decide(other.id, 'approved', 'spam')
  const cursor = (await get('/articles/a/comments?limit=1&sort=oldest&view=flat')).body.next_cursor
  const replies = (await get(`/articles/a/comments?depth=1`)).body.items[0].replies.next_cursor
  const { status, body } = await merge('a', 'b')
  t.equal(status, 201)
  t.match(body, {
    action: 'move',
    comment_id: null,
    subject: 'a',
    before: { article_id: 'a', state: 'open' },
    after: { article_id: 'b', state: 'closed' },
  })
  t.same(await treeOf(service, 'b'), [['target'], ['root', [['reply', [['nested']]]]]])
  t.same(await countsOf(service, 'b'), [4, 2, nested.created_at])
  t.match((await get('/articles/a')).body, {
    state: 'closed',
    comment_count: 0,
    root_count: 0,
    last_comment_at: null,
  })
  t.same((await get('/articles/a/comments')).body.items, [])
  const late = await get(`/articles/a/comments?view=flat&cursor=${cursor}`)
  t.match(late, { status: 200, body: { items: [], next_cursor: null } })
  const rest = await get(`/comments/${root.id}/replies?cursor=${replies}`)
  t.match(rest, { status: 200, body: { items: [{ id: reply.id, parent_id: root.id }] } })
  const latePost = { body: { body: 'late', author: { name: 'Ada' } } }
  const posted = await service.call('POST', `${SITE}/articles/a/comments`, latePost)
  t.equal(said(posted), '409 thread_closed')
  t.equal((await service.decide(other.id, 'spam', 'approved')).status, 201)
  t.match((await get(`/comments/${other.id}`)).body, { article_id: 'b' })
  t.match(await post('b', 'below', { parent_id: nested.id }), { parent_id: nested.id, depth: 3 })
  const token = service.adminKey
  const { items } = (await get('/moderation/decisions?limit=10', { token })).body
  const caused = items.filter(({ caused_by: cause }: Json) => cause === body.id)
  t.same(new Set(caused.map((d: Json) => d.comment_id)), new Set([root.id, other.id]))
  t.notOk(target.parent_id)
  t.same(await recount(service.db), [])
})

t.test('mergeThreads refuses impossible merges', async (t) => {
  const service = await openService(t)
  const { merge } = asModerator(service)
  await plant(service)
  t.equal(said(await merge('a', 'a')), '400 invalid_request')
  t.equal(said(await merge('absent', 'a')), '404 not_found')
  t.equal(said(await merge('a', '')), '400 invalid_request')
})

t.test('mergeThreads has one effect per Idempotency-Key', async (t) => {
  const service = await openService(t)
  const { merge } = asModerator(service)
  const { call, adminKey: token } = service
  await plant(service)
  const headers = { 'idempotency-key': 'a-key-for-one-merge' }
  const first = await merge('a', 'new', headers)
  await call('PATCH', `${SITE}/articles/a`, { token, body: { state: 'open' } })
  await service.post('a', 'begun anew')
  t.equal((await merge('a', 'new', headers)).text, first.text)
  t.same(await treeOf(service, 'a'), [['begun anew']])
  t.same(await countsOf(service, 'new').then(([comments, roots]) => [comments, roots]), [4, 2])
  t.same(await recount(service.db), [])
})
