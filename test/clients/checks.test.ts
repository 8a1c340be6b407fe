import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { createChecks } from '../../src/clients/checks.ts'
import { createGuardedRequest } from '../../src/clients/guarded-request.ts'
import { createBreaker } from '../../src/domain/breaker.ts'
import type { Check, CheckInput } from '../../src/domain/site/check.ts'
import {
  type Answering,
  hanging,
  json,
  LIES,
  LOOPBACK,
  openCheckServer,
  text,
} from './checks-server.ts'

const SECRET = 'the secret of the check, 32 characters'

const QUESTION: CheckInput = {
  site: 'blog',
  commentId: 'c1-2',
  parentId: null,
  articleId: '/a b',
  articleUrl: 'https://blog.example/a',
  revision: 1,
  body: 'Grüße & more',
  createdAt: '2026-11-24T10:00:00.000Z',
  author: { kind: 'guest', name: 'Ada', url: 'https://ada.example/', email: 'ada@Mail.example' },
  ip: '192.0.2.7',
  userAgent: 'Browser/1',
}

const now = () => performance.now()

const open = async (
  t: Test,
  answering: Answering,
  breaker = createBreaker({ failures: 1e9, pauseMs: 0, now }),
) => {
  const server = await openCheckServer(t, answering)
  const request = createGuardedRequest({ allowedNetworks: LOOPBACK, ca: server.ca })
  const outcomes: string[] = []
  const onAnswer = (kind: string, outcome: string) => outcomes.push(`${kind} ${outcome}`)
  const checks = createChecks({ request, breaker, onAnswer })
  const more = { name: 'own', secret: SECRET, timeoutMs: 2_000 }
  const own: Check = { ...more, kind: 'http', url: `${server.url}/check` }
  const akismet: Check = {
    ...more,
    kind: 'akismet',
    url: `${server.url}/1.1`,
    siteUrl: 'https://blog.example/',
    isTest: false,
  }
  return {
    ...server,
    checks,
    outcomes,
    own,
    akismet,
    ask: (check: Check) => checks.ask(check, QUESTION),
  }
}

t.test('each answer and each failure of a check is reported once', async (t) => {
  const { ask, own, akismet, outcomes } = await open(t, json({ score: 0.25 }))
  await ask(own)
  await ask(akismet)
  t.same(outcomes, ['http answered', 'akismet failed'])
})

t.test('a check is sent the fields it needs, and no others', async (t) => {
  const { state, ask, own } = await open(t, json({ score: 0.25, why: 'it has its reasons' }))
  t.same(await ask(own), { state: 'answered', score: 0.25 })
  const { method, path, headers, body } = state.heard[0]!
  t.same([method, path, headers['content-type']], ['POST', '/check', 'application/json'])
  t.same(JSON.parse(body), {
    site: 'blog',
    comment_id: 'c1-2',
    revision: 1,
    article_id: '/a b',
    article_url: 'https://blog.example/a',
    parent_id: null,
    body: 'Grüße & more',
    author: {
      kind: 'guest',
      name: 'Ada',
      url: 'https://ada.example/',
      email_domain: 'mail.example',
    },
    created_at: '2026-11-24T10:00:00.000Z',
    callback: '/v1/sites/blog/checks/own/verdicts',
  })
  t.notMatch(JSON.stringify([headers, body]), /ada@|192\.0\.2|Browser|the secret/)
})

t.test('the request to a check is signed as the docs describe', async (t) => {
  const { state, ask, own } = await open(t, json({ score: 0 }))
  await ask(own)
  const { headers, body } = state.heard[0]!
  const timestamp = String(headers['afterword-timestamp'])
  const expected = createHmac('sha256', SECRET)
    .update(`${timestamp}./v1/sites/blog/checks/own/verdicts.${body}`)
    .digest('hex')
  t.equal(headers['afterword-signature'], expected)
  t.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60)
})

t.test(
  'a verdict is accepted with the check’s own signature, and with no forged or old one',
  async (t) => {
    const { checks, own, akismet } = await open(t, json({ score: 0 }))
    const now = Math.floor(Date.now() / 1000)
    const sign = (more: { path?: string; at?: number; secret?: string } = {}) => {
      const { path = '/v1/sites/blog/checks/own/verdicts', at = now, secret = SECRET } = more
      const body = Buffer.from('{"comment_id":"c1-2","score":1}')
      const signature = createHmac('sha256', secret)
        .update(`${at}.${path}.${body.toString()}`)
        .digest('hex')
      return { path: '/v1/sites/blog/checks/own/verdicts', timestamp: String(at), signature, body }
    }
    t.equal(checks.isFrom(own, sign()), true)
    t.equal(checks.isFrom(own, sign({ at: now - 290 })), true)
    t.equal(checks.isFrom(akismet, sign()), false, 'Akismet calls nobody back')
    for (const forged of [
      sign({ at: now - 310 }),
      sign({ at: now + 310 }),
      sign({ secret: `${SECRET}!` }),
      sign({ path: '/v1/sites/other/checks/own/verdicts' }),
      { ...sign(), timestamp: String(now + 1) },
      { ...sign(), timestamp: 'now' },
      { ...sign(), body: Buffer.from('{"comment_id":"c1-2","score":0}') },
      { ...sign(), signature: '' },
      { ...sign(), signature: sign().signature.toUpperCase() },
      { ...sign(), signature: sign().signature.slice(0, 62) },
    ])
      t.equal(checks.isFrom(own, forged), false, JSON.stringify(forged))
  },
)

t.test('a check that responds with pending counts as asked', async (t) => {
  const { ask, own } = await open(t, json({ pending: true }))
  t.same(await ask(own), { state: 'asked' })
})

t.test('an invalid response of a check is a failure, not a score', async (t) => {
  const { state, ask, own } = await open(t, hanging)
  for (const [what, [lie, why]] of Object.entries(LIES)) {
    state.answering = lie
    t.match(await ask(own), { state: 'failed', why }, what)
  }
  t.notOk(
    state.heard.some(({ path }) => path === '/elsewhere'),
    'nobody follows',
  )
})

t.test('a check that hangs or is absent gives a failure as its fact', async (t) => {
  const { ask, own, close } = await open(t, hanging)
  const impatient = { ...own, timeoutMs: 50 }
  t.same(await ask(impatient), { state: 'failed', why: 'it does not answer in time' })
  close()
  t.same(await ask(own), { state: 'failed', why: 'it cannot be reached' })
})

t.test('Akismet is sent the parameters of its own API', async (t) => {
  const { state, ask, akismet, checks } = await open(t, text('false'))
  t.same(await ask(akismet), { state: 'answered', score: 0 })
  const { path, headers, body } = state.heard[0]!
  t.equal(path, '/1.1/comment-check')
  t.match(headers['content-type'], 'application/x-www-form-urlencoded')
  t.same(Object.fromEntries(new URLSearchParams(body)), {
    api_key: SECRET,
    blog: 'https://blog.example/',
    blog_charset: 'UTF-8',
    user_ip: '192.0.2.7',
    user_agent: 'Browser/1',
    permalink: 'https://blog.example/a',
    comment_type: 'comment',
    comment_author: 'Ada',
    comment_author_email: 'ada@Mail.example',
    comment_author_url: 'https://ada.example/',
    comment_content: 'Grüße & more',
    comment_date_gmt: '2026-11-24T10:00:00.000Z',
  })
  const reply: CheckInput = {
    ...QUESTION,
    parentId: 'c1-1',
    revision: 2,
    ip: null,
    userAgent: null,
    author: { ...QUESTION.author, kind: 'member', email: null },
  }
  await checks.ask({ ...akismet, isTest: true } as Check, reply)
  const form = new URLSearchParams(state.heard[1]!.body)
  t.match(Object.fromEntries(form), {
    comment_type: 'reply',
    recheck_reason: 'edit',
    is_test: '1',
  })
  for (const name of ['user_ip', 'user_agent', 'comment_author_email', 'comment_author_url'])
    t.equal(form.has(name), false, name)
})

t.test('a response of Akismet becomes a score or a failure', async (t) => {
  const { state, ask, akismet } = await open(t, hanging)
  const said: [Answering, object][] = [
    [text('true'), { state: 'answered', score: 0.9 }],
    [text('true\n'), { state: 'answered', score: 0.9 }],
    [text('true', { 'X-akismet-pro-tip': 'discard' }), { state: 'answered', score: 1 }],
    [text('false', { 'X-akismet-pro-tip': 'discard' }), { state: 'answered', score: 0 }],
    [text('invalid'), { state: 'failed', why: /its key and its site/ }],
    [text('false', { 'X-akismet-debug-help': 'no "blog"' }), { state: 'failed', why: /its key/ }],
    [text('true', { 'X-akismet-alert-code': '10001' }), { state: 'failed', why: /its key/ }],
    [text(''), { state: 'failed', why: /neither true nor false/ }],
    [text('<p>true</p>'), { state: 'failed', why: /neither true nor false/ }],
    [json({ score: 0 }), { state: 'failed', why: /neither true nor false/ }],
    [(answer) => void answer.writeHead(302).end('true'), { state: 'failed', why: /302/ }],
    [(answer) => void answer.writeHead(503).end('false'), { state: 'failed', why: /503/ }],
  ]
  for (const [answering, fact] of said) {
    state.answering = answering
    t.match(await ask(akismet), fact)
  }
})

t.test('Akismet gets reports of decisions and must confirm them', async (t) => {
  const thanks = text('Thanks for making the web a better place.')
  const { state, checks, akismet, own } = await open(t, thanks)
  await checks.report(akismet, QUESTION, true)
  await checks.report(akismet, QUESTION, false)
  await checks.report(own, QUESTION, true)
  t.same(
    state.heard.map(({ path }) => path),
    ['/1.1/submit-spam', '/1.1/submit-ham'],
  )
  state.answering = text('Invalid key.')
  await t.rejects(checks.report(akismet, QUESTION, true), /does not take/)
})

t.test(
  'a check that fails repeatedly is not asked for a while, and other checks are',
  async (t) => {
    const breaker = createBreaker({ failures: 3, pauseMs: 3_600_000, now })
    const { state, ask, own } = await open(t, json('no verdict'), breaker)
    for (let n = 0; n < 3; n++) t.match(await ask(own), { why: /its answer is none/ })
    t.same(await ask(own), { state: 'failed', why: 'it has failed too often' })
    t.equal(state.heard.length, 3)
    state.answering = json({ score: 0 })
    t.match(await ask({ ...own, name: 'another' }), { score: 0 })
    t.match(
      await ask({ ...own, url: `${own.url}/new` }),
      { score: 0 },
      'a new address is a new try',
    )
  },
)
