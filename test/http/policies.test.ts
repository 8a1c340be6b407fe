import { sql } from 'kysely'
import t from 'tap'
import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import type { Policy } from '../../src/domain/screening/policy.ts'
import { openService, type TestService } from '../service.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'
const POLICY = `${SITE}/moderation/policy`
const POLICIES = `${SITE}/moderation/policies`

const withRule = <N extends keyof Policy['rules']>(
  name: N,
  change: Partial<Policy['rules'][N]>,
): Policy => ({
  rules: { ...DEFAULT_POLICY.rules, [name]: { ...DEFAULT_POLICY.rules[name], ...change } },
})

const asAdmin = ({ call, adminKey: token }: TestService) => ({
  get: (path: string) => call('GET', path, { token }),
  put: (policy: Policy, more: Json = {}, headers: Record<string, string> = {}) =>
    call('PUT', POLICY, { token, body: { policy, ...more }, headers }),
  restore: (version: number | string, body: Json = {}, headers: Record<string, string> = {}) =>
    call('POST', `${POLICIES}/${version}/restorations`, { token, body, headers }),
})

t.test('a site uses the default policy until an administrator creates one', async (t) => {
  const service = await openService(t)
  const { get, put, restore } = asAdmin(service)
  const short = withRule('length', { mode: 'enforce', min: 5 })
  const shipped = { version: 0, policy: DEFAULT_POLICY, note: null, by: null, at: null }
  t.strictSame((await get(POLICY)).body, shipped)

  const made = await put(short, { note: 'no one-word comments' })
  t.match(made, { status: 200, body: { version: 1, note: 'no one-word comments' } })
  t.strictSame(made.body.policy, short)
  t.strictSame((await get(POLICY)).body, made.body, 'it is in force at once')
  t.equal((await service.post('a', 'Hi')).status, 'pending', 'and comments are judged by it')
  t.equal((await service.post('a', 'Hello')).status, 'approved')

  await put(DEFAULT_POLICY)
  t.equal((await service.post('a', 'Hi')).status, 'approved')
  const back = await restore(1)
  t.match(back, { status: 200, body: { version: 3, note: null } })
  t.strictSame(back.body.policy, short, 'a policy of the history comes back as a new version')
  t.equal((await service.post('a', 'Hi')).status, 'pending')
  t.strictSame((await get(`${POLICIES}/1`)).body, made.body, 'and the old one is as it was')
  t.match(await restore(0), { status: 200, body: { version: 4, policy: DEFAULT_POLICY } })
  t.match(await restore(99), { status: 404 })
  t.match(await restore('x'), { status: 404 })

  const first = await get(`${POLICIES}?limit=3`)
  t.same(
    first.body.items.map(({ version }: Json) => version),
    [4, 3, 2],
  )
  t.equal(first.body.items[0].policy, undefined, 'the history is short')
  const rest = await get(`${POLICIES}?limit=3&cursor=${first.body.next_cursor}`)
  t.match(rest.body, { items: [{ version: 1, note: 'no one-word comments' }], next_cursor: null })

  const { body: audit } = await get(`${SITE}/audit`)
  const acts = audit.items.filter(({ action }: Json) => action === 'policy_updated')
  t.match(acts, [
    { before: { policy_version: 3 }, after: { policy_version: 4, restored: 0 } },
    { after: { policy_version: 3, restored: 1 } },
    { after: { policy_version: 2 } },
    { before: { policy_version: 0 }, after: { policy_version: 1 }, subject: 'default' },
  ])
  t.equal(JSON.stringify(acts).includes('rules'), false, 'the audit holds no lists of words')
})

t.test('of two administrators who saw the same policy, one succeeds', async (t) => {
  const service = await openService(t)
  const { put, restore, get } = asAdmin(service)
  const seen = { 'if-match': '"0"' }
  const answers = await Promise.all([
    put(withRule('links', { max: 1 }), {}, seen),
    put(withRule('links', { max: 2 }), {}, seen),
    restore(0, {}, seen),
  ])
  t.same(
    answers.map(({ status }) => status).sort((a, b) => a - b),
    [200, 412, 412],
  )
  t.match(
    answers.find(({ status }) => status === 412),
    { body: { code: 'edit_conflict' } },
  )
  t.equal((await get(POLICY)).body.version, 1)

  const many = await Promise.all(Array.from({ length: 8 }, () => put(DEFAULT_POLICY)))
  const versions = many.map(({ body }) => body.version).sort((a, b) => a - b)
  t.same(versions, [2, 3, 4, 5, 6, 7, 8, 9], 'versions have no gaps')
})

t.test('a repeated request creates one version of a policy', async (t) => {
  const service = await openService(t)
  const { put } = asAdmin(service)
  const key = { 'idempotency-key': 'policy-0123456789' }
  const first = await put(DEFAULT_POLICY, {}, key)
  t.strictSame((await put(DEFAULT_POLICY, {}, key)).body, first.body)
  t.match(await put(withRule('links', { max: 9 }), {}, key), { status: 422 })
})

t.test('the policies of a site are unknown to other sites', async (t) => {
  const service = await openService(t)
  const { put, get } = asAdmin(service)
  await service.call('POST', '/v1/sites', {
    token: service.adminKey,
    body: { slug: 'other', name: 'Other' },
  })
  await put(withRule('length', { mode: 'enforce', min: 5 }))
  t.match((await get('/v1/sites/other/moderation/policy')).body, { version: 0 })
  t.match(await get('/v1/sites/other/moderation/policies/1'), { status: 404 })
  const posted = await service.call('POST', '/v1/sites/other/articles/a/comments', {
    body: { body: 'Hi', author: { name: 'Ada' } },
  })
  t.equal(posted.status, 201)
})

t.test('createPolicy refuses an invalid policy and names each error', async (t) => {
  const service = await openService(t)
  const { put } = asAdmin(service)
  const { links: _, ...rest } = DEFAULT_POLICY.rules
  const faulty: [string, unknown, string][] = [
    ['without one of its rules', { rules: rest }, '/policy/rules/links'],
    [
      'with a rule that there is none of',
      { rules: { ...DEFAULT_POLICY.rules, x: {} } },
      '/policy/rules/x',
    ],
    [
      'with a mode that there is none of',
      withRule('links', { mode: 'on' as never }),
      '/policy/rules/links/mode',
    ],
    [
      'with a verdict that is none',
      withRule('links', { says: 'approved' as never }),
      '/policy/rules/links/says',
    ],
    ['with a number below nothing', withRule('links', { max: -1 }), '/policy/rules/links/max'],
    [
      'with a word that is none',
      withRule('words', { spam: [1 as never] }),
      '/policy/rules/words/spam/0',
    ],
  ]
  for (const [why, policy, pointer] of faulty)
    await t.test(why, async (t) => {
      const { status, body } = await put(policy as Policy)
      t.match({ status, body }, { status: 400, body: { code: 'invalid_request' } })
      t.equal(body.errors[0].pointer, pointer)
    })
  const two = withRule('link_domains', { block: ['no domain', 'example.org', 'nor this'] })
  const { body } = await put(two)
  t.same(
    body.errors.map(({ pointer }: Json) => pointer),
    ['/policy/rules/link_domains/block/0', '/policy/rules/link_domains/block/2'],
    'with all that is wrong in it at once',
  )
  const { rows } = await sql`select from policies`.execute(service.db)
  t.equal(rows.length, 0)
})

t.test('createPolicy takes 65,000 words and refuses more than 4 MiB', async (t) => {
  const service = await openService(t)
  const { put } = asAdmin(service)
  const spam = Array.from({ length: 65_000 }, (_, n) => `word${n.toString(36)}x`)
  t.match(await put(withRule('words', { mode: 'enforce', spam })), { status: 200 })
  const held = await service.post('a', 'it says word1bx')
  t.equal(held.status, 'pending', 'its author is not told that it is spam')
  const { body } = await service.get('/moderation/comments?status=spam', {
    token: service.adminKey,
  })
  t.match(body.items[0], { id: held.id, policy_version: 1 })
  t.match(body.items[0].trace.at(-1), { rule: 'words', found: [{ text: 'word1bx' }] })
  const tooMany = [...spam, ...Array.from({ length: 4_200 }, () => 'w'.repeat(1_000))]
  t.match(await put(withRule('words', { spam: tooMany })), { status: 413 })
  const elsewhere = await service.call('PATCH', SITE, {
    token: service.adminKey,
    body: { name: 'x'.repeat(70_000) },
  })
  t.equal(elsewhere.status, 413, 'on other routes 64 KiB is the bound')
})

t.test('a large body is read only from callers who may send it', async (t) => {
  const service = await openService(t)
  const reader = await service.makeKey('read')
  const moderator = await service.makeKey('moderate')
  const send = async (method: string, path: string, token?: string) => {
    const headers = { 'content-type': 'application/json' }
    const body = 'x'.repeat(4_194_305)
    return (await service.call(method, path, { token, headers, body })).body.code
  }
  for (const path of ['screenings', 'simulations'].map((name) => `${SITE}/moderation/${name}`)) {
    t.equal(await send('POST', path), 'login_required')
    t.equal(await send('POST', path, reader), 'forbidden')
    t.equal(await send('POST', path, moderator), 'body_too_large')
  }
  t.equal(await send('PUT', POLICY, moderator), 'forbidden')
  t.equal(await send('PUT', POLICY, service.adminKey), 'body_too_large')
})

t.test(
  'a policy that would make comments slow to judge is refused, and so is a draft',
  async (t) => {
    const service = await openService(t)
    const alike = Array.from({ length: 101 }, (_, n) => `x${n}*ck`)
    const signs = Array.from('!#%&()+,-./:', (a) => Array.from('!#%&()+,-', (b) => `${a}word${b}`))
    const token = service.adminKey
    const refusal = { status: 400, body: { errors: [{ pointer: '/policy/rules/words' }] } }
    const put = (spam: string[]) =>
      service.call('PUT', POLICY, { token, body: { policy: withRule('words', { spam }) } })
    for (const spam of [alike, signs.flat()]) {
      t.match(await put(spam), refusal)
      const trial = { policy: withRule('words', { spam }), body: 'x' }
      const screening = service.call('POST', `${SITE}/moderation/screenings`, {
        token,
        body: trial,
      })
      t.match(await screening, refusal)
      t.match(await put(spam.slice(0, 100)), { status: 200 })
    }
  },
)
