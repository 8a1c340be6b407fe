import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const TEXT = 'It quotes the article.'

const appeal = (world: TestService, id: string, token: string | undefined, body: object = {}) =>
  world.call('POST', `${SITE}/comments/${id}/appeals`, { token, body: { text: TEXT, ...body } })

const answer = (world: TestService, id: string, token: string | undefined, body: object = {}) =>
  world.call('POST', `${SITE}/moderation/appeals/${id}/answers`, {
    token,
    body: { outcome: 'overturned', ...body },
  })

const list = async (world: TestService, query = '') =>
  (await world.get(`/moderation/appeals${query}`, { token: world.adminKey })).body

const state = async (world: TestService, id: string, token: string) =>
  (await world.get(`/comments/${id}/statement`, { token })).body

const openStaff = async (world: TestService) => {
  await openSignOn(world)
  const tokens = ['first', 'second', 'third'].map((sub) =>
    signToken({ sub, name: sub, role: 'moderator' }),
  )
  return (await Promise.all(tokens)) as [string, string, string]
}

/** A comment that the first moderator has rejected, and its author has appealed for. */
const openCase = async (world: TestService, moderator: string) => {
  const { id, guest_token: token } = await world.post('a', 'x')
  const decision = { from: 'approved', to: 'rejected', reason: 'abusive', note: 'internal' }
  const made = await world.call('POST', `${SITE}/comments/${id}/decisions`, {
    token: moderator,
    body: decision,
  })
  const { body } = await appeal(world, id, token)
  return { id, token, appealId: body.id as string, decision: made.body }
}

t.test('an author appeals, and somebody else publishes the comment again', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const { id, token, appealId, decision } = await openCase(world, first)
  const { items } = await list(world)
  t.match(items, [{ id: appealId, text: TEXT, outcome: null, comment: { id, status: 'rejected' } }])
  t.match(items[0].decision, { id: decision.id, by: decision.by, note: 'internal' })
  const given = await answer(world, appealId, second, { note: 'You are right.' })
  t.match(given, { status: 201, body: { outcome: 'overturned', note: 'You are right.' } })
  t.ok(given.headers['thread-version'])
  t.match(await world.get(`/comments/${id}`), { status: 200, body: { status: 'approved' } })
  const statement = await state(world, id, token)
  t.match(statement, {
    status: 'published',
    decided_by: 'moderator',
    appeal: { text: TEXT, outcome: 'overturned', note: 'You are right.', answered_at: /^20/ },
    may_appeal: false,
  })
  t.notMatch(JSON.stringify(statement), /internal/)
  t.same((await list(world)).items, [])
  t.match((await list(world, '?state=answered')).items, [{ id: appealId, outcome: 'overturned' }])
  t.same(await recount(world.db), [])
})

t.test('the answer and what it changes are in the audit trail', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const { id, appealId } = await openCase(world, first)
  await answer(world, appealId, second, { note: 'You are right.' })
  const trail = await world.get('/moderation/decisions', { token: world.adminKey })
  const [moved, answered, rejected] = trail.body.items
  t.match(moved, { action: 'status', comment_id: id, from: 'rejected', to: 'approved' })
  t.match(answered, { action: 'appeal', comment_id: id, from: null, to: null })
  t.match(answered, { before: { outcome: null }, after: { outcome: 'overturned' } })
  t.equal(moved.caused_by, answered.id)
  t.equal(moved.by, answered.by)
  t.not(moved.by, rejected.by)
})

t.test('an answer is for good: neither it nor what it changed is undone', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const { id, appealId } = await openCase(world, first)
  await answer(world, appealId, second)
  const trail = await world.get('/moderation/decisions?limit=2', { token: world.adminKey })
  for (const decision of trail.body.items) {
    const path = `${SITE}/moderation/decisions/${decision.id}/undo`
    const undone = await world.call('POST', path, { token: first, body: {} })
    t.match(undone, { status: 409 }, decision.action)
  }
  t.equal((await world.get(`/comments/${id}`)).status, 200)
})

t.test('nobody answers for its own decision, keys included', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const { appealId } = await openCase(world, first)
  const refused = await answer(world, appealId, first)
  t.match(refused, { status: 403, body: { code: 'forbidden' } })
  t.match(refused.body.errors, [{ detail: 'somebody else must answer this appeal' }])
  t.equal((await list(world)).items.length, 1, 'it still waits')
  t.equal((await answer(world, appealId, second)).status, 201)
  const byKey = await openCase(world, world.adminKey)
  t.equal((await answer(world, byKey.appealId, world.adminKey)).status, 403)
  t.equal((await answer(world, byKey.appealId, await world.makeKey('moderate'))).status, 201)
})

t.test('nor does whoever decided since, nor the author itself', async (t) => {
  const world = await openService(t)
  const [first, second, third] = await openStaff(world)
  const { id, appealId } = await openCase(world, first)
  const body = { from: 'rejected', to: 'spam' }
  await world.call('POST', `${SITE}/comments/${id}/decisions`, { token: second, body })
  for (const token of [first, second]) t.equal((await answer(world, appealId, token)).status, 403)
  t.equal((await answer(world, appealId, third)).status, 201)
  const own = await world.post('a', 'of a moderator', {}, { token: second })
  await world.call('POST', `${SITE}/comments/${own.id}/decisions`, {
    token: first,
    body: { from: 'approved', to: 'rejected' },
  })
  const { body: mine } = await appeal(world, own.id, second)
  t.equal((await answer(world, mine.id, second)).status, 403)
})

t.test('of moderators who answer at once one succeeds', async (t) => {
  const world = await openService(t)
  const [first] = await openStaff(world)
  const { id, appealId } = await openCase(world, first)
  const keys = await Promise.all(Array.from({ length: 6 }, () => world.makeKey('moderate')))
  const answers = await Promise.all(
    keys.map((key, n) =>
      answer(world, appealId, key, { outcome: n % 2 ? 'upheld' : 'overturned' }),
    ),
  )
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  t.equal(answers.filter(({ status }) => status === 409).length, 5)
  const { outcome } = answers.find(({ status }) => status === 201)!.body
  const isShown = (await world.get(`/comments/${id}`)).status === 200
  t.equal(isShown, outcome === 'overturned')
})

t.test('once for each comment, also after an answer and a new decision', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const { id, token, appealId } = await openCase(world, first)
  const again = await appeal(world, id, token)
  t.match(again, { status: 409, body: { code: 'decision_conflict' } })
  t.match(again.body.errors, [{ parameter: 'id', detail: 'has been appealed already' }])
  await answer(world, appealId, second)
  await world.decide(id, 'approved', 'rejected')
  t.match(await state(world, id, token), { status: 'removed', may_appeal: false })
  t.equal((await appeal(world, id, token)).status, 409)
})

t.test('many at once are one', async (t) => {
  const world = await openService(t)
  const { id, guest_token: token } = await world.post('a', 'x')
  await world.decide(id, 'approved', 'rejected')
  const answers = await Promise.all(Array.from({ length: 8 }, () => appeal(world, id, token)))
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  t.equal(answers.filter(({ status }) => status === 409).length, 7)
})

t.test(
  'what is published, deleted by its author or fresh in the queue is not appealed',
  async (t) => {
    const world = await openService(t)
    const open = await world.post('a', 'x')
    const gone = await world.post('a', 'y')
    await world.call('DELETE', `${SITE}/comments/${gone.id}`, { token: gone.guest_token })
    await world.call('PATCH', SITE, { token: world.adminKey, body: { moderation: 'pre' } })
    const held = await world.post('a', 'z')
    for (const { id, guest_token: token } of [open, gone, held])
      t.match(await appeal(world, id, token), { status: 409, body: { code: 'decision_conflict' } })
    await sql`update comments set created_at = created_at - interval '1 day',
    active_at = active_at - interval '1 day'`.execute(world.db)
    t.equal((await appeal(world, held.id, held.guest_token)).status, 201, 'after a day it is')
  },
)

t.test('upheld, it stays away, and what was only held is turned down', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const { id, token, appealId } = await openCase(world, first)
  await answer(world, appealId, second, { outcome: 'upheld', note: 'It insults.' })
  const upheld = { outcome: 'upheld', note: 'It insults.' }
  t.match(await state(world, id, token), { status: 'removed', appeal: upheld })
  await world.call('PATCH', SITE, { token: world.adminKey, body: { moderation: 'pre' } })
  const held = await world.post('a', 'z')
  await sql`update comments set created_at = created_at - interval '1 day',
    active_at = active_at - interval '1 day'`.execute(world.db)
  const { body } = await appeal(world, held.id, held.guest_token)
  await answer(world, body.id, second, { outcome: 'upheld' })
  t.match(await state(world, held.id, held.guest_token), {
    status: 'removed',
    decided_by: 'moderator',
  })
  t.same(await recount(world.db), [])
})

t.test('what has become of the comment since is respected', async (t) => {
  const world = await openService(t)
  const [first, second] = await openStaff(world)
  const published = await openCase(world, first)
  await world.decide(published.id, 'rejected', 'approved')
  const upheld = await answer(world, published.appealId, second, { outcome: 'upheld' })
  t.match(upheld, { status: 409, body: { code: 'decision_conflict' } })
  t.equal((await answer(world, published.appealId, second)).status, 201)
  const gone = await openCase(world, first)
  await world.call('DELETE', `${SITE}/comments/${gone.id}`, { token: gone.token })
  const overturned = await answer(world, gone.appealId, second)
  t.match(overturned, { status: 409, body: { code: 'move_not_allowed' } })
  const closed = await answer(world, gone.appealId, second, { outcome: 'upheld' })
  t.equal(closed.status, 201)
})

t.test('only its author appeals, and only of its own site', async (t) => {
  const world = await openService(t)
  const { id } = await world.post('a', 'x')
  await world.decide(id, 'approved', 'rejected')
  const { guest_token: other } = await world.post('a', 'y')
  t.equal((await appeal(world, id, undefined)).status, 401)
  t.equal((await appeal(world, id, other)).status, 404)
  t.equal((await appeal(world, id, world.adminKey)).status, 403)
})

t.test('a text is needed, of 1 to 2,000 code points', async (t) => {
  const world = await openService(t)
  const { id, guest_token: token } = await world.post('a', 'x')
  await world.decide(id, 'approved', 'rejected')
  for (const text of ['', ' \n', '😀'.repeat(2001)]) {
    const refused = await appeal(world, id, token, { text })
    t.match(refused, { status: 400, body: { errors: [{ pointer: '/text' }] } })
  }
  t.equal((await appeal(world, id, token, { text: '😀'.repeat(2000) })).status, 201)
})

t.test('a repeated request has one effect, and its answer holds no text', async (t) => {
  const world = await openService(t)
  const { id, guest_token: token } = await world.post('a', 'x')
  await world.decide(id, 'approved', 'rejected')
  const call = {
    token,
    headers: { 'idempotency-key': 'a-key-that-is-long-enough' },
    body: { text: TEXT },
  }
  const path = `${SITE}/comments/${id}/appeals`
  const [one, two] = [await world.call('POST', path, call), await world.call('POST', path, call)]
  t.equal(one.status, 201)
  t.same(two.body, one.body)
  t.notMatch(one.text, TEXT)
})

t.test('the queue of appeals is walked from the oldest to the newest', async (t) => {
  const world = await openService(t)
  const made: string[] = []
  for (let n = 0; n < 5; n++) made.push((await openCase(world, world.adminKey)).appealId)
  const walked: string[] = []
  let cursor: string | null = null
  do {
    const page: { items: { id: string }[]; next_cursor: string | null } = await list(
      world,
      `?limit=2${cursor ? `&cursor=${cursor}` : ''}`,
    )
    walked.push(...page.items.map(({ id }) => id))
    cursor = page.next_cursor
  } while (cursor)
  t.same(walked, made)
})
