import fc from 'fast-check'
import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { applyRetention } from '../../src/usecases/jobs/apply-retention.ts'
import { dump } from '../dump.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type TestService } from '../service.ts'

const SITE = '/v1/sites/default'
const FORM = /^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$/
const WRONG = 'K7QF-M2XD-9RTA'

const makeGuest = async ({ call }: TestService, name = 'Ada') =>
  (await call('POST', `${SITE}/guests`, { body: { name } })).body

const askCode = ({ call }: TestService, token: string) =>
  call('POST', `${SITE}/guests/transfer`, { token })

const redeem = ({ call }: TestService, code: string, address = '203.0.113.1', site = 'default') =>
  call('POST', `/v1/sites/${site}/guests/claim`, {
    headers: { 'x-forwarded-for': address },
    body: { code },
  })

const open = (t: Parameters<typeof openService>[0]) =>
  openService(t, { trustedProxies: ['127.0.0.1'] })

t.test(
  'a code makes another device the same guest, and the first one stays signed in',
  async (t) => {
    const service = await open(t)
    const { guest_token: old, author } = await makeGuest(service)
    const comment = await service.post('a', 'by the first device', {}, { token: old })
    const { status, body, headers } = await askCode(service, old)
    t.equal(status, 201)
    t.match(body.code, FORM)
    t.equal(headers['cache-control'], 'private, no-store')
    const validMs = Date.parse(body.expires_at) - Date.parse(body.now)
    t.ok(validMs > 500_000 && validMs < 700_000, 'about ten minutes')
    const claimed = await redeem(service, body.code)
    t.match(claimed, { status: 200, headers: { 'cache-control': 'private, no-store' } })
    t.same(claimed.body.author, author)
    for (const token of [claimed.body.guest_token, old]) {
      const viewer = (await service.get('/articles/a/viewer', { token })).body
      t.match(viewer, { author, editable: { [comment.id]: comment.editable_until } })
      const edit = { token, body: { body: `by ${token.length}` } }
      t.equal((await service.call('PATCH', `${SITE}/comments/${comment.id}`, edit)).status, 200)
    }
  },
)

t.test(
  'a code is good once, on its site, until it expires or a newer one replaces it',
  async (t) => {
    const service = await open(t)
    await service.call('POST', '/v1/sites', {
      token: service.adminKey,
      body: { slug: 'other', name: 'Other' },
    })
    const { guest_token: token } = await makeGuest(service)
    const newCode = async (): Promise<string> => (await askCode(service, token)).body.code
    let networks = 0
    const refused = async (code: string, site?: string) => {
      const answer = await redeem(service, code, `198.51.100.${networks++}`, site)
      t.match(answer, { status: 404, body: { code: 'not_found' } })
    }
    const used = await newCode()
    await refused(used, 'other')
    t.equal((await redeem(service, used)).status, 200)
    await refused(used)
    const replaced = await newCode()
    await newCode()
    await refused(replaced)
    const expired = await newCode()
    await sql`update transfer_codes set expires_at = clock_timestamp()`.execute(service.db)
    await refused(expired)
    await refused(WRONG)
  },
)

t.test('of many devices that send a code together, one becomes the guest', async (t) => {
  const service = await open(t)
  const { guest_token: token } = await makeGuest(service)
  const { code } = (await askCode(service, token)).body
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) => redeem(service, code, `198.51.100.${n}`)),
  )
  const statuses = answers.map(({ status }) => status)
  t.equal(statuses.filter((status) => status === 200).length, 1)
  t.equal(statuses.filter((status) => status === 404).length, 11)
})

t.test('a code is read as people type it', async (t) => {
  const service = await open(t)
  const { guest_token: token, author } = await makeGuest(service)
  const spelling = fc.record({
    isLower: fc.boolean(),
    gap: fc.constantFrom('', ' ', '-', ' - '),
    zero: fc.constantFrom('0', 'O', 'o'),
    one: fc.constantFrom('1', 'I', 'l'),
  })
  const property = fc.asyncProperty(spelling, async ({ isLower, gap, zero, one }) => {
    const { code } = (await askCode(service, token)).body
    const cased = isLower ? code.toLowerCase() : code
    const typed = ` ${cased.replaceAll('-', gap).replaceAll('0', zero).replaceAll('1', one)} `
    const answer = await redeem(service, typed)
    t.match(answer, { status: 200, body: { author } }, typed)
  })
  await t.resolves(fc.assert(property, { numRuns: runs(10, 60), endOnFailure: true }))
  for (const code of ['', 'K7QF-M2XD', 'K7QF-M2XD-9RTU', 'K7QF-M2XD-9RT€', `${WRONG}0`])
    t.match(await redeem(service, code), { status: 400, body: { errors: [{ pointer: '/code' }] } })
})

t.test('after five wrong codes a network waits, with a right one too', async (t) => {
  const service = await open(t)
  const { guest_token: token } = await makeGuest(service)
  const newCode = async (): Promise<string> => (await askCode(service, token)).body.code
  const [network, other] = ['203.0.113.1', '203.0.113.2']
  for (let n = 0; n < 7; n++)
    t.equal(
      (await redeem(service, await newCode(), network)).status,
      200,
      'right codes do not count',
    )
  for (let n = 0; n < 7; n++) t.equal((await redeem(service, 'short', network)).status, 400)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => redeem(service, WRONG, network)),
  )
  const statuses = answers.map(({ status }) => status)
  t.equal(statuses.filter((status) => status === 404).length, 5, 'also when they come together')
  t.equal(statuses.filter((status) => status === 429).length, 15)
  const code = await newCode()
  const refused = await redeem(service, code, network)
  t.match(refused, { status: 429, body: { code: 'rate_limited' } })
  const wait = Number(refused.headers['retry-after'])
  t.ok(wait > 3_000 && wait <= 3_600, `${wait} seconds`)
  t.equal((await redeem(service, code, other)).status, 200, 'another network does not wait')
})

t.test('only guests have a code', async (t) => {
  const service = await open(t)
  await openSignOn(service)
  const member = await signToken()
  t.match(await askCode(service, member), { status: 403, body: { code: 'forbidden' } })
  t.match(await askCode(service, service.adminKey), { status: 403, body: { code: 'forbidden' } })
  t.match(await service.call('POST', `${SITE}/guests/transfer`), { status: 401 })
})

t.test('a code is stored nowhere, neither as text nor in a stored response', async (t) => {
  const service = await open(t)
  const { guest_token: token } = await makeGuest(service)
  const headers = { 'idempotency-key': 'a-key-of-this-test' }
  const { body } = await service.call('POST', `${SITE}/guests/transfer`, { token, headers })
  const stored = await dump(service)
  t.ok(stored.includes('Ada'), 'the dump has texts')
  for (const text of [body.code, body.code.replaceAll('-', '')]) t.notOk(stored.includes(text))
})

t.test('an erasure ends the code of its guest, and an export says that there is one', async (t) => {
  const service = await open(t)
  const { guest_token: token, author } = await makeGuest(service)
  const { code, expires_at: until } = (await askCode(service, token)).body
  const path = `${SITE}/authors/${author.id}`
  const held = await service.call('GET', `${path}/export`, { token })
  t.match(held.body, { author: { transfer_code_until: until } })
  t.equal((await service.call('DELETE', path, { token })).status, 204)
  const { rows } = await sql`select from transfer_codes`.execute(service.db)
  t.equal(rows.length, 0)
  t.equal((await redeem(service, code)).status, 404)
  t.equal((await askCode(service, token)).status, 401)
})

t.test(
  'an erasure and a redemption at the same time leave no token of an erased guest',
  async (t) => {
    const service = await open(t)
    for (let n = 0; n < 10; n++) {
      const { guest_token: token, author } = await makeGuest(service)
      const { code } = (await askCode(service, token)).body
      const [redeemed, erased] = await Promise.all([
        redeem(service, code, `198.51.100.${n}`),
        service.call('DELETE', `${SITE}/authors/${author.id}`, { token }),
      ])
      t.equal(erased.status, 204)
      t.ok([200, 404].includes(redeemed.status), `${redeemed.status}`)
      if (redeemed.status === 200)
        t.equal((await askCode(service, redeemed.body.guest_token)).status, 401)
    }
  },
)

t.test('the retention deletes expired codes and keeps valid ones', async (t) => {
  const service = await open(t)
  const [first, second] = [await makeGuest(service), await makeGuest(service, 'Grace')]
  await askCode(service, first.guest_token)
  await sql`update transfer_codes set expires_at = clock_timestamp()`.execute(service.db)
  const { code } = (await askCode(service, second.guest_token)).body
  await applyRetention(service, new AbortController().signal)
  const { rows } = await sql`select from transfer_codes`.execute(service.db)
  t.equal(rows.length, 1)
  t.match(await redeem(service, code), { status: 200, body: { author: second.author } })
})

t.test('a banned guest is banned on the other device too, and a code is good once', async (t) => {
  const service = await open(t)
  const { guest_token: old, author } = await makeGuest(service)
  const comment = await service.post('a', 'by the first device', {}, { token: old })
  const { code } = (await askCode(service, old)).body
  const ban = { kind: 'author', value: author.id, effect: 'block', reason: 'spam' }
  const made = await service.call('POST', `${SITE}/moderation/bans`, {
    token: service.adminKey,
    body: ban,
  })
  t.equal(made.status, 201)
  const { guest_token: token } = (await redeem(service, code)).body
  const body = { body: 'by the other device' }
  const posted = await service.call('POST', `${SITE}/articles/a/comments`, { token, body })
  t.match(posted, { status: 403, body: { code: 'banned' } })
  const edited = await service.call('PATCH', `${SITE}/comments/${comment.id}`, { token, body })
  t.match(edited, { status: 403, body: { code: 'banned' } })
  t.equal((await redeem(service, code, '198.51.100.9')).status, 404)
})

t.test('no log line has a code, a wrong one neither', async (t) => {
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  const service = await openService(t, { trustedProxies: ['127.0.0.1'], logger })
  const { guest_token: token } = await makeGuest(service)
  const { code } = (await askCode(service, token)).body
  await redeem(service, code)
  await redeem(service, code)
  await redeem(service, WRONG)
  await redeem(service, 'short-code')
  t.ok(lines.some((line) => line.includes('redeemTransferCode 404')))
  for (const text of [code, code.replaceAll('-', ''), WRONG, 'short-code', token])
    t.notOk(lines.some((line) => line.includes(text)))
})
