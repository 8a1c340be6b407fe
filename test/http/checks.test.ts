import t from 'tap'
import {
  API_KEY,
  akismet,
  callBack,
  factsOf,
  openChecked,
  own,
  riskOf,
  SECRET,
  SITE,
  STRICT,
  seen,
  setChecks,
} from '../checks.ts'
import { type Answering, dying, hanging, json, text } from '../clients/checks-server.ts'
import { ABSENT } from '../ids.ts'
import { openService, type TestService } from '../service.ts'

const OWN = { name: 'own', kind: 'http', url: 'https://checks.example/ask', secret: SECRET }
const AKISMET = {
  name: 'akismet',
  kind: 'akismet',
  secret: 'api-key-of-akismet',
  site_url: 'https://blog.example',
}

const set = (service: TestService, checks: object[]) =>
  service.call('PATCH', SITE, { token: service.adminKey, body: { checks } })

t.test('a site shows its checks without their secrets', async (t) => {
  const service = await openService(t)
  t.same((await service.get('', { token: service.adminKey })).body.checks, [])
  const changed = await set(service, [OWN, { ...AKISMET, timeout_ms: 500, is_test: true }])
  t.same(changed.body.checks, [
    { name: 'own', kind: 'http', url: OWN.url, timeout_ms: 1_500 },
    {
      name: 'akismet',
      kind: 'akismet',
      url: 'https://rest.akismet.com/1.1',
      timeout_ms: 500,
      site_url: 'https://blog.example',
      is_test: true,
    },
  ])
  const told = await Promise.all([
    service.get('', { token: service.adminKey }),
    service.get('/config'),
    service.get('/audit', { token: service.adminKey }),
    service.call('GET', '/v1/sites', { token: service.adminKey }),
  ])
  for (const { text } of [changed, ...told]) {
    t.notMatch(text, SECRET)
    t.notMatch(text, AKISMET.secret)
  }
  t.match(told[2].body.items[0], { action: 'site_updated', before: { checks: [] } })
  t.notMatch(told[1].text, /checks/, 'readers need not know')
})

t.test('a check keeps its secret when the update omits it, unless its URL changes', async (t) => {
  const service = await openService(t)
  const secretOf = async () => {
    service.sites.forget('default')
    return (await service.sites.find('default'))!.checks.map(({ secret }) => secret)
  }
  const { secret: _, ...without } = OWN
  t.match(await set(service, [without]), {
    status: 400,
    body: { errors: [{ pointer: '/checks/0/secret' }] },
  })
  await set(service, [OWN])
  t.equal((await set(service, [{ ...without, timeout_ms: 100 }])).status, 200)
  t.same(await secretOf(), [SECRET])
  for (const other of [{ url: 'https://elsewhere.example' }, { name: 'other' }])
    t.equal((await set(service, [{ ...without, ...other }])).status, 400)
  await set(service, [])
  t.same(await secretOf(), [])
})

t.test('updateSite refuses invalid checks and names the field', async (t) => {
  const service = await openService(t)
  const wrong: [object[], string][] = [
    [[{ ...OWN, url: 'http://checks.example' }], '/checks/0/url'],
    [[{ ...OWN, url: 'https://a:b@checks.example' }], '/checks/0/url'],
    [[{ ...AKISMET, site_url: 'blog' }], '/checks/0/site_url'],
    [[OWN, OWN], '/checks'],
    [Array.from({ length: 6 }, (_, n) => ({ ...OWN, name: `n${n}` })), '/checks'],
    [[{ ...OWN, name: 'constructor' }], '/checks/0'],
    [[{ ...OWN, name: 'A b' }], '/checks/0'],
    [[{ ...OWN, secret: 'short' }], '/checks/0'],
    [[{ ...OWN, timeout_ms: 2_001 }], '/checks/0'],
    [[{ ...OWN, kind: 'magic' }], '/checks/0'],
    [[{ ...OWN, more: 1 }], '/checks/0'],
  ]
  for (const [checks, pointer] of wrong) {
    const answer = await set(service, checks)
    t.match(answer, { status: 400, body: { code: 'invalid_request' } }, JSON.stringify(checks))
    const pointers = answer.body.errors.map((error: { pointer: string }) => error.pointer)
    t.ok(
      pointers.some((one: string) => one.startsWith(pointer)),
      `${pointers} has ${pointer}`,
    )
  }
})

const post = (
  service: TestService,
  body: string,
  more: { headers?: Record<string, string> } = {},
) =>
  service.call('POST', `${SITE}/articles/a/comments`, {
    body: { body, author: { name: 'Ada', email: 'ada@mail.example' } },
    headers: { 'user-agent': 'Browser/1', ...more.headers },
  })

/** Spam is what says so. */
const honest: Answering = (answer, heard) =>
  json({ score: heard.body.includes('spam') ? 0.9 : 0.1 })(answer, heard)

t.test('a comment has its id before a check is asked, and is published afterwards', async (t) => {
  const { service, server, state } = await openChecked(t, hanging)
  await setChecks(service, [own(server.url)], { own: STRICT })
  const seenMeanwhile: Record<string, any>[] = []
  state.answering = async (answer, heard) => {
    const { comment_id: id } = JSON.parse(heard.body)
    seenMeanwhile.push((await seen(service, id))!, await service.get(`/comments/${id}`))
    honest(answer, heard)
  }
  const good = await post(service, 'a good word')
  t.match(good, { status: 201, body: { status: 'approved', published_at: String } })
  t.match(seenMeanwhile, [{ id: good.body.id, status: 'pending' }, { status: 404 }])
  t.same((await service.get(`/comments/${good.body.id}`)).body.published_at, good.body.published_at)
  t.match(await factsOf(service, good.body.id), { own: { state: 'answered', score: 0.1 } })
  t.match((await service.get('/articles/a')).body, { comment_count: 1 })
  t.equal(good.headers['thread-version'], String((await service.get('/articles/a')).body.version))
  const bad = await post(service, 'spam')
  t.match(bad, { status: 202, body: { status: 'pending', published_at: null } })
  const held = (await seen(service, bad.body.id))!
  t.equal(held.status, 'spam')
  t.ok((await riskOf(service, bad.body.id)) >= 90)
  const opinion = held.trace.find(({ rule }: { rule: string }) => rule === 'checks.own')
  t.match(opinion, { says: 'spam', counts: true, evidence: 'own is 90 % sure that it is spam' })
})

t.test('a verdict of a check is in the moderation log as a decision of rules', async (t) => {
  const { service, server } = await openChecked(t, honest)
  await setChecks(service, [own(server.url)], { own: STRICT })
  await post(service, 'spam')
  const { items } = (await service.get('/moderation/decisions', { token: service.adminKey })).body
  t.match(items, [{ from: 'pending', to: 'spam', by: 'rules', note: /90 % sure/ }])
})

/** Of each kind one; all of them are told apart by the tests of the clients. */
const LIES_ALONE: Record<string, Answering> = {
  'a score of another type': json({ score: '0' }),
  'a score that is none': text('{"score":NaN}'),
  'a page for people': text('<p>hello</p>', { 'content-type': 'text/html' }),
  'a huge answer': text(`{"score":0,"more":"${'x'.repeat(20_000)}"}`),
  'a redirect': (answer) => void answer.writeHead(307, { location: '/' }).end(),
  'half a word': dying,
}

t.test('an outage of a check publishes no comment where the policy holds it', async (t) => {
  const { service, server, state } = await openChecked(t, hanging)
  const impatient = own(server.url, { timeout_ms: 100 })
  for (const onFailure of ['hold', 'ignore'] as const) {
    const lies = { 'a hang': hanging, ...LIES_ALONE }
    for (const [what, answering] of Object.entries(lies)) {
      // Another name each time: none is left alone because of the others.
      const name = `n${state.heard.length}`
      const rules = { [name]: { ...STRICT, on_failure: onFailure } }
      await setChecks(service, [{ ...impatient, name }], rules)
      state.answering = answering
      const answer = await post(service, `${onFailure} ${what}`)
      const message = `${onFailure}: ${what}`
      t.match(answer, { status: onFailure === 'hold' ? 202 : 201 }, message)
      t.match((await factsOf(service, answer.body.id))[name], { state: 'failed' }, message)
    }
  }
  server.close()
  await setChecks(service, [own(server.url)], { own: STRICT })
  t.match(await post(service, 'nobody is there'), { status: 202 })
  const { items } = (await service.get('/articles/a/comments?limit=100&sort=oldest')).body
  t.notOk(
    items.some(({ body }: { body: string }) => !body.startsWith('ignore')),
    'only those',
  )
})

t.test('all checks are asked together, and the strictest enforced verdict counts', async (t) => {
  const { service, server, state } = await openChecked(t, hanging)
  const names = ['a', 'b', 'c', 'd', 'e']
  const waiting: (() => void)[] = []
  // No check responds before all checks are asked.
  state.answering = (answer, heard) => {
    const { callback } = JSON.parse(heard.body)
    const score = callback.includes('/checks/d/') ? 0.8 : 0.2
    waiting.push(() => json({ score })(answer, heard))
    if (waiting.length === names.length) for (const go of waiting.splice(0)) go()
  }
  const checks = names.map((name) => own(server.url, { name }))
  const rule = { ...STRICT, says: 'pending' as const }
  const rules = Object.fromEntries(names.map((name) => [name, rule]))
  await setChecks(service, checks, { ...rules, d: { ...rule, says: 'rejected' } })
  const { body } = await post(service, 'x')
  t.equal((await seen(service, body.id))!.status, 'rejected')
  t.equal(state.heard.length, 5)
})

t.test('recording checks delay no response, and checks that are off are not asked', async (t) => {
  const { service, server, state } = await openChecked(t, hanging)
  const asked = Promise.withResolvers<void>()
  let answerNow = () => {}
  state.answering = (answer, heard) => {
    answerNow = () => json({ score: 1 })(answer, heard)
    asked.resolve()
  }
  const off = own(server.url, { name: 'off', url: `${server.url}/off` })
  await setChecks(service, [own(server.url), off], { off: { ...STRICT, mode: 'off' } })
  const answer = await post(service, 'x')
  t.match(answer, { status: 201 }, 'though the check has not answered')
  await asked.promise
  answerNow()
  await service.deferredTasks.settled()
  const after = (await seen(service, answer.body.id))!
  t.equal(after.status, 'approved')
  t.equal(await riskOf(service, answer.body.id), 100)
  const opinion = after.trace.find(({ rule }: { rule: string }) => rule === 'checks.own')
  t.match(opinion, { counts: false, says: 'spam' })
  t.same(Object.keys(await factsOf(service, answer.body.id)), ['own'])
  t.notOk(state.heard.some(({ path }) => path === '/off'))
})

t.test('a repeated post gets the final response of the first', async (t) => {
  const { service, server, state } = await openChecked(t, honest)
  await setChecks(service, [own(server.url)], { own: STRICT })
  const headers = { 'idempotency-key': 'a-key-of-sixteen-and-more' }
  const [first, again] = [
    await post(service, 'x', { headers }),
    await post(service, 'x', { headers }),
  ]
  t.equal(first.status, 201)
  t.match([again.status, again.body], [201, first.body])
  t.equal(again.headers['thread-version'], first.headers['thread-version'])
  t.equal(state.heard.length, 1)
})

t.test('an edit is checked like a comment, and published when the check approves it', async (t) => {
  const { service, server, state } = await openChecked(t, honest)
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { body: comment } = await post(service, 'x')
  const edit = (body: string) =>
    service.call('PATCH', `${SITE}/comments/${comment.id}`, {
      token: comment.guest_token,
      body: { body },
    })
  const good = await edit('y')
  t.match(good, { status: 200, body: { status: 'approved', body: 'y', revision: 2 } })
  t.equal(good.body.published_at, comment.published_at)
  t.equal(JSON.parse(state.heard.at(-1)!.body).revision, 2)
  t.match(await edit('spam'), { status: 202, body: { status: 'pending' } })
  t.equal((await seen(service, comment.id))!.status, 'spam')
  t.equal((await service.get('/articles/a')).body.comment_count, 0)
  t.match(await edit('z'), { status: 202 }, 'what is held is not published by an edit')
  t.equal((await seen(service, comment.id))!.status, 'spam')
})

t.test(
  'a comment held before its edit stays held, whatever a check says of the new text',
  async (t) => {
    const { service, server } = await openChecked(t, honest)
    const { body: comment } = await post(service, 'x')
    await service.decide(comment.id, 'approved', 'pending')
    await setChecks(service, [own(server.url)], { own: STRICT })
    const edit = { token: comment.guest_token, body: { body: 'y' } }
    t.match(await service.call('PATCH', `${SITE}/comments/${comment.id}`, edit), { status: 202 })
    t.match(await factsOf(service, comment.id), { own: { state: 'answered' } })
    t.equal((await seen(service, comment.id))!.status, 'pending')
  },
)

t.test('a guest’s new name appears with the published comment', async (t) => {
  const { service, server, state } = await openChecked(t, honest)
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { guest_token: token } = (await post(service, 'x')).body
  const again = (body: string, name: string) =>
    service.call('POST', `${SITE}/articles/a/comments`, { token, body: { body, author: { name } } })
  t.match(await again('spam', 'Eve'), { status: 202, body: { author: { name: 'Ada' } } })
  t.match(await again('y', 'Grace'), { status: 201, body: { author: { name: 'Grace' } } })
  t.match(JSON.parse(state.heard.at(-1)!.body).author, { name: 'Grace', email_domain: null })
  const { items } = (await service.get('/articles/a/comments')).body
  t.match(
    items.map(({ author }: { author: { name: string } }) => author.name),
    ['Grace', 'Grace'],
  )
})

t.test('a late verdict publishes the comment that waits for it', async (t) => {
  const { service, server } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const [good, bad] = [(await post(service, 'x')).body, (await post(service, 'y')).body]
  t.equal(good.status, 'pending')
  t.match(await callBack(service, { comment_id: good.id, score: 0.1 }), { status: 204, text: '' })
  t.match(await service.get(`/comments/${good.id}`), { status: 200, body: { status: 'approved' } })
  t.equal((await callBack(service, { comment_id: bad.id, score: 0.9, revision: 1 })).status, 204)
  t.equal((await seen(service, bad.id))!.status, 'spam')
  for (const score of [0.1, 0.9])
    t.equal((await callBack(service, { comment_id: good.id, score })).status, 204)
  t.match(await factsOf(service, good.id), { own: { score: 0.1 } }, 'the first one stands')
  t.equal((await seen(service, good.id))!.status, 'approved')
})

t.test('a verdict after a failure counts, and a verdict on an earlier text does not', async (t) => {
  const { service, server, state } = await openChecked(t, json('no verdict'))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const { body: comment } = await post(service, 'x')
  t.equal(comment.status, 'pending')
  t.equal((await callBack(service, { comment_id: comment.id, score: 0 })).status, 204)
  t.equal((await seen(service, comment.id))!.status, 'approved')
  state.answering = json({ pending: true })
  const edit = { token: comment.guest_token, body: { body: 'y' } }
  t.match(await service.call('PATCH', `${SITE}/comments/${comment.id}`, edit), { status: 202 })
  await callBack(service, { comment_id: comment.id, score: 0, revision: 1 })
  t.equal((await seen(service, comment.id))!.status, 'pending')
  await callBack(service, { comment_id: comment.id, score: 0, revision: 2 })
  t.equal((await seen(service, comment.id))!.status, 'approved')
})

t.test('only the check itself can report its verdict', async (t) => {
  const { service, server } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url), akismet(server.url)], { own: STRICT })
  const { body: comment } = await post(service, 'x')
  const verdict = { comment_id: comment.id, score: 0 }
  const now = Date.now() / 1000
  const refused = [
    callBack(service, verdict, { secret: `${SECRET}!` }),
    callBack(service, verdict, { at: now - 400 }),
    callBack(service, verdict, { at: now + 400 }),
    callBack(service, verdict, { path: '/v1/sites/other/checks/own/verdicts' }),
    callBack(service, verdict, { name: 'unknown' }),
    callBack(service, verdict, { name: 'akismet', secret: API_KEY }),
    callBack(service, verdict, { headers: { 'afterword-timestamp': String(Math.floor(now) - 1) } }),
    callBack(service, { ...verdict, comment_id: ABSENT }, { secret: 'of somebody else' }),
  ]
  for (const answer of await Promise.all(refused))
    t.match(answer, { status: 401, body: { code: 'invalid_token' } })
  const path = `${SITE}/checks/own/verdicts`
  const unsigned = await service.call('POST', path, { body: verdict })
  t.match(unsigned, { status: 401, body: { code: 'login_required' } })
  const withKey = await service.call('POST', path, { body: verdict, token: service.adminKey })
  t.match(withKey, { status: 401, body: { code: 'invalid_token' } })
  for (const id of [ABSENT, 'nothing'])
    t.match(await callBack(service, { ...verdict, comment_id: id }), { status: 404 })
  for (const score of [1.1, -1, '0', null])
    t.match(await callBack(service, { ...verdict, score }), { status: 400 })
  t.equal((await seen(service, comment.id))!.status, 'pending')
})

t.test('a verdict after a moderator’s decision is stored and changes no status', async (t) => {
  const { service, server } = await openChecked(t, json({ pending: true }))
  await setChecks(service, [own(server.url)], { own: STRICT })
  const [one, two] = [(await post(service, 'x')).body, (await post(service, 'y')).body]
  await service.decide(one.id, 'pending', 'approved')
  await callBack(service, { comment_id: one.id, score: 1 })
  t.equal((await seen(service, one.id))!.status, 'approved')
  t.equal(await riskOf(service, one.id), 100)
  await service.decide(two.id, 'pending', 'spam')
  await service.decide(two.id, 'spam', 'pending')
  await callBack(service, { comment_id: two.id, score: 0 })
  t.equal((await seen(service, two.id))!.status, 'pending')
  t.match(await factsOf(service, two.id), { own: { state: 'answered', score: 0 } })
})
