import { sql } from 'kysely'
import t from 'tap'
import { openSignOn, signToken } from '../members.ts'
import { recount } from '../recount.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const TEXT = 'It quotes the article.'

const appeal = (service: TestService, id: string, token: string | undefined, body: object = {}) =>
  service.call('POST', `${SITE}/comments/${id}/appeals`, { token, body: { text: TEXT, ...body } })

const answer = (service: TestService, id: string, token: string | undefined, body: object = {}) =>
  service.call('POST', `${SITE}/moderation/appeals/${id}/answers`, {
    token,
    body: { outcome: 'overturned', revision: 1, ...body },
  })

const list = async (service: TestService, query = '') =>
  (await service.get(`/moderation/appeals${query}`, { token: service.adminKey })).body

const state = async (service: TestService, id: string, token: string) =>
  (await service.get(`/comments/${id}/statement`, { token })).body

const openStaff = async (service: TestService) => {
  await openSignOn(service)
  const tokens = ['first', 'second', 'third'].map((sub) =>
    signToken({ sub, name: sub, role: 'moderator' }),
  )
  return (await Promise.all(tokens)) as [string, string, string]
}

/** A comment that the first moderator has rejected, and its author has appealed for. */
const openCase = async (service: TestService, moderator: string) => {
  const { id, guest_token: token } = await service.post('a', 'x')
  const decision = { from: 'approved', to: 'rejected', reason: 'abusive', note: 'internal' }
  const made = await service.call('POST', `${SITE}/comments/${id}/decisions`, {
    token: moderator,
    body: decision,
  })
  const { body } = await appeal(service, id, token)
  return { id, token, appealId: body.id as string, decision: made.body }
}

/** As if all comments had been written a day earlier. */
const backdate = async ({ db }: TestService) => {
  await sql`update comments set created_at = created_at - interval '1 day'`.execute(db)
  await sql`update comment_tallies set created_at = created_at - interval '1 day',
    active_at = active_at - interval '1 day'`.execute(db)
}

t.test('an author appeals, and another moderator publishes the comment again', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { id, token, appealId, decision } = await openCase(service, first)
  const { items } = await list(service)
  t.match(items, [{ id: appealId, text: TEXT, outcome: null, comment: { id, status: 'rejected' } }])
  t.match(items[0].decision, { id: decision.id, by: decision.by, note: 'internal' })
  const given = await answer(service, appealId, second, { note: 'You are right.' })
  t.match(given, { status: 201, body: { outcome: 'overturned', note: 'You are right.' } })
  t.ok(given.headers['thread-version'])
  t.match(await service.get(`/comments/${id}`), { status: 200, body: { status: 'approved' } })
  const statement = await state(service, id, token)
  t.match(statement, {
    status: 'published',
    decided_by: 'moderator',
    appeal: { text: TEXT, outcome: 'overturned', note: 'You are right.', answered_at: /^20/ },
    may_appeal: false,
  })
  t.notMatch(JSON.stringify(statement), /internal/)
  t.same((await list(service)).items, [])
  t.match((await list(service, '?status=answered')).items, [
    { id: appealId, outcome: 'overturned' },
  ])
  t.same(await recount(service.db), [])
})

t.test('answerAppeal writes the answer and its decision to the moderation log', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { id, appealId } = await openCase(service, first)
  await answer(service, appealId, second, { note: 'You are right.' })
  const trail = await service.get('/moderation/decisions', { token: service.adminKey })
  const [moved, answered, rejected] = trail.body.items
  t.match(moved, { action: 'status', comment_id: id, from: 'rejected', to: 'approved' })
  t.match(answered, { action: 'appeal', comment_id: id, from: null, to: null })
  t.match(answered, { before: { outcome: null }, after: { outcome: 'overturned' } })
  t.equal(moved.caused_by, answered.id)
  t.equal(moved.by, answered.by)
  t.not(moved.by, rejected.by)
})

t.test('overturned restores the replies that went along, but no others', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { id: root } = await service.post('a', 'root')
  const { id, guest_token: token } = await service.post('a', 'x', { parent_id: root })
  const reply = await service.post('a', 'reply', { parent_id: id })
  const spam = await service.post('a', 'spam', { parent_id: id })
  const beside = await service.post('a', 'beside', { parent_id: root })
  const decide = (comment: string, from: string, to: string, more: object = {}) =>
    service.call('POST', `${SITE}/comments/${comment}/decisions`, {
      token: first,
      body: { from, to, ...more },
    })
  await decide(root, 'approved', 'rejected', { replies: 'same' })
  await decide(spam.id, 'rejected', 'spam')
  const { body } = await appeal(service, id, token)
  t.equal((await answer(service, body.id, second)).status, 201)
  const statusOf = async (comment: string) =>
    (await service.get(`/comments/${comment}`, { token: service.adminKey })).body.status
  const all = [root, id, reply.id, spam.id, beside.id]
  t.same(await Promise.all(all.map(statusOf)), [
    'rejected',
    'approved',
    'approved',
    'spam',
    'rejected',
  ])
  t.same(await recount(service.db), [])
})

t.test('the answer to an appeal cannot be undone, nor what it changed', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { id, appealId } = await openCase(service, first)
  await answer(service, appealId, second)
  const trail = await service.get('/moderation/decisions?limit=2', { token: service.adminKey })
  for (const decision of trail.body.items) {
    const path = `${SITE}/moderation/decisions/${decision.id}/undos`
    const undone = await service.call('POST', path, { token: first, body: {} })
    t.match(undone, { status: 409 }, decision.action)
  }
  t.equal((await service.get(`/comments/${id}`)).status, 200)
})

t.test('the moderator who decided can answer an appeal that waits for seven days', async (t) => {
  const service = await openService(t)
  const [first] = await openStaff(service)
  const { appealId } = await openCase(service, first)
  const wait = (days: number) => sql`
    update appeals set appealed_at = clock_timestamp() - make_interval(days => ${days}, secs => 1)`
  await wait(6).execute(service.db)
  t.equal((await answer(service, appealId, first)).status, 403)
  await wait(7).execute(service.db)
  t.equal((await answer(service, appealId, first)).status, 201)
})

t.test(
  'an author appeals anew when the comment is rejected after an overturned appeal',
  async (t) => {
    const service = await openService(t)
    const [first, second] = await openStaff(service)
    const { id, token, appealId } = await openCase(service, first)
    await answer(service, appealId, second)
    t.equal((await appeal(service, id, token)).status, 409, 'the comment is published')
    await service.decide(id, 'approved', 'rejected')
    t.match(await state(service, id, token), { status: 'removed', may_appeal: true })
    const anew = await appeal(service, id, token)
    t.equal(anew.status, 201)
    t.not(anew.body.id, appealId)
    t.match(await state(service, id, token), { appeal: { outcome: null }, may_appeal: false })
    t.match(await answer(service, anew.body.id, second, { outcome: 'upheld' }), { status: 201 })
    t.equal((await appeal(service, id, token)).status, 409, 'an upheld appeal is final')
    t.equal((await list(service, '?status=answered')).items.length, 2)
  },
)

t.test('moderators and keys cannot answer an appeal against their own decision', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { appealId } = await openCase(service, first)
  const refused = await answer(service, appealId, first)
  t.match(refused, { status: 403, body: { code: 'forbidden' } })
  t.match(refused.body.errors, [{ detail: 'somebody else must answer this appeal' }])
  t.equal((await list(service)).items.length, 1, 'it still waits')
  t.equal((await answer(service, appealId, second)).status, 201)
  const byKey = await openCase(service, service.adminKey)
  t.equal((await answer(service, byKey.appealId, service.adminKey)).status, 403)
  t.equal((await answer(service, byKey.appealId, await service.makeKey('moderate'))).status, 201)
})

t.test('neither a moderator who decided since nor the author can answer an appeal', async (t) => {
  const service = await openService(t)
  const [first, second, third] = await openStaff(service)
  const { id, appealId } = await openCase(service, first)
  const body = { from: 'rejected', to: 'spam' }
  await service.call('POST', `${SITE}/comments/${id}/decisions`, { token: second, body })
  for (const token of [first, second]) t.equal((await answer(service, appealId, token)).status, 403)
  t.equal((await answer(service, appealId, third)).status, 201)
  const own = await service.post('a', 'of a moderator', {}, { token: second })
  await service.call('POST', `${SITE}/comments/${own.id}/decisions`, {
    token: first,
    body: { from: 'approved', to: 'rejected' },
  })
  const { body: mine } = await appeal(service, own.id, second)
  t.equal((await answer(service, mine.id, second)).status, 403)
})

t.test('of moderators who answer one appeal together, one succeeds', async (t) => {
  const service = await openService(t)
  const [first] = await openStaff(service)
  const { id, appealId } = await openCase(service, first)
  const keys = await Promise.all(Array.from({ length: 6 }, () => service.makeKey('moderate')))
  const answers = await Promise.all(
    keys.map((key, n) =>
      answer(service, appealId, key, { outcome: n % 2 ? 'upheld' : 'overturned' }),
    ),
  )
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  t.equal(answers.filter(({ status }) => status === 409).length, 5)
  const { outcome } = answers.find(({ status }) => status === 201)!.body
  const isShown = (await service.get(`/comments/${id}`)).status === 200
  t.equal(isShown, outcome === 'overturned')
})

t.test('a decision has one appeal', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { id, token, appealId } = await openCase(service, first)
  const again = await appeal(service, id, token)
  t.match(again, { status: 409, body: { code: 'decision_conflict' } })
  t.match(again.body.errors, [{ parameter: 'id', detail: 'has been appealed already' }])
  await answer(service, appealId, second, { outcome: 'upheld' })
  t.match(await state(service, id, token), { status: 'removed', may_appeal: false })
  t.equal((await appeal(service, id, token)).status, 409)
})

t.test('many appeals of one comment sent together are one appeal', async (t) => {
  const service = await openService(t)
  const { id, guest_token: token } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'rejected')
  const answers = await Promise.all(Array.from({ length: 8 }, () => appeal(service, id, token)))
  t.equal(answers.filter(({ status }) => status === 201).length, 1)
  t.equal(answers.filter(({ status }) => status === 409).length, 7)
})

t.test(
  'a comment that is published, deleted by its author or new in the queue cannot be appealed',
  async (t) => {
    const service = await openService(t)
    const open = await service.post('a', 'x')
    const gone = await service.post('a', 'y')
    await service.call('DELETE', `${SITE}/comments/${gone.id}`, { token: gone.guest_token })
    await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
    const held = await service.post('a', 'z')
    for (const { id, guest_token: token } of [open, gone, held])
      t.match(await appeal(service, id, token), {
        status: 409,
        body: { code: 'decision_conflict' },
      })
    await backdate(service)
    t.equal((await appeal(service, held.id, held.guest_token)).status, 201, 'after a day it is')
  },
)

t.test('an upheld comment stays hidden, and a held one is rejected', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const { id, token, appealId } = await openCase(service, first)
  await answer(service, appealId, second, { outcome: 'upheld', note: 'It insults.' })
  const upheld = { outcome: 'upheld', note: 'It insults.' }
  t.match(await state(service, id, token), { status: 'removed', appeal: upheld })
  await service.call('PATCH', SITE, { token: service.adminKey, body: { moderation: 'pre' } })
  const held = await service.post('a', 'z')
  await backdate(service)
  const { body } = await appeal(service, held.id, held.guest_token)
  await answer(service, body.id, second, { outcome: 'upheld' })
  t.match(await state(service, held.id, held.guest_token), {
    status: 'removed',
    decided_by: 'moderator',
  })
  t.same(await recount(service.db), [])
})

t.test('answerAppeal respects decisions on the comment since the appeal', async (t) => {
  const service = await openService(t)
  const [first, second] = await openStaff(service)
  const published = await openCase(service, first)
  await service.decide(published.id, 'rejected', 'approved')
  const upheld = await answer(service, published.appealId, second, { outcome: 'upheld' })
  t.match(upheld, { status: 409, body: { code: 'decision_conflict' } })
  t.equal((await answer(service, published.appealId, second)).status, 201)
  const gone = await openCase(service, first)
  await service.call('DELETE', `${SITE}/comments/${gone.id}`, { token: gone.token })
  const overturned = await answer(service, gone.appealId, second)
  t.match(overturned, { status: 409, body: { code: 'move_not_allowed' } })
  const closed = await answer(service, gone.appealId, second, { outcome: 'upheld' })
  t.equal(closed.status, 201)
})

t.test('only the author of a comment can appeal, and only on its site', async (t) => {
  const service = await openService(t)
  const { id } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'rejected')
  const { guest_token: other } = await service.post('a', 'y')
  t.equal((await appeal(service, id, undefined)).status, 401)
  t.equal((await appeal(service, id, other)).status, 404)
  t.equal((await appeal(service, id, service.adminKey)).status, 403)
})

t.test('an appeal needs a text of 1 to 2,000 code points', async (t) => {
  const service = await openService(t)
  const { id, guest_token: token } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'rejected')
  for (const text of ['', ' \n', '😀'.repeat(2001)]) {
    const refused = await appeal(service, id, token, { text })
    t.match(refused, { status: 400, body: { errors: [{ pointer: '/text' }] } })
  }
  t.equal((await appeal(service, id, token, { text: '😀'.repeat(2000) })).status, 201)
})

t.test('a repeated appeal has one effect, and its response holds no text', async (t) => {
  const service = await openService(t)
  const { id, guest_token: token } = await service.post('a', 'x')
  await service.decide(id, 'approved', 'rejected')
  const call = {
    token,
    headers: { 'idempotency-key': 'a-key-that-is-long-enough' },
    body: { text: TEXT },
  }
  const path = `${SITE}/comments/${id}/appeals`
  const [one, two] = [
    await service.call('POST', path, call),
    await service.call('POST', path, call),
  ]
  t.equal(one.status, 201)
  t.same(two.body, one.body)
  t.notMatch(one.text, TEXT)
})

t.test('the queue of appeals is walked from the oldest to the newest', async (t) => {
  const service = await openService(t)
  const made: string[] = []
  for (let n = 0; n < 5; n++) made.push((await openCase(service, service.adminKey)).appealId)
  const walked: string[] = []
  let cursor: string | null = null
  do {
    const page: { items: { id: string }[]; next_cursor: string | null } = await list(
      service,
      `?limit=2${cursor ? `&cursor=${cursor}` : ''}`,
    )
    walked.push(...page.items.map(({ id }) => id))
    cursor = page.next_cursor
  } while (cursor)
  t.same(walked, made)
})
