import { randomUUID } from 'node:crypto'
import { Agent, request as sendRequest } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { createLocalCacheTokens } from '../../src/cache/cache-tokens.ts'
import { runs } from '../lengths.ts'
import { openService, type ServiceOptions, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { openTwin } from '../twin.ts'
import { listen } from './sockets.ts'

type App = TestService['app']
type Headers = Record<string, string>

const SITE = '/v1/sites/default'
/** A request with a body takes the long way, and the framework ignores the body of a GET. */
const LONG = { 'content-length': '0' }
/** Each response has its own time, and its own place in the limit. */
const VOLATILE = ['Date', 'ratelimit']

/** A client with one connection. Its answers have their headers in the order in which they were sent. */
const openClient = async (t: Test, app: App) => {
  let long = 0
  app.addHook('onRequest', (_request, _reply, done) => {
    long++
    done()
  })
  const port = await listen(app)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const get = async (path: string, headers: Headers = {}, method = 'GET') => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const options = { port, host: '127.0.0.1', agent, path, method, headers }
    const sent = sendRequest(options, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      const { statusCode: status, rawHeaders, headers } = response
      resolve({ status: status!, lines: linesOf(rawHeaders), headers, body: Buffer.concat(chunks) })
    })
    sent.on('error', reject).end()
    return promise
  }
  /** How many requests took the long way: the framework sees no others. */
  const countLong = () => long
  return { get, port, countLong, countKnown: () => countKnown(app) }
}

type Client = Awaited<ReturnType<typeof openClient>>
type Answer = {
  readonly status: number
  readonly lines: readonly string[]
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Buffer
}

const linesOf = (raw: readonly string[]): string[] =>
  raw.flatMap((name, i) =>
    i % 2 === 0 && !VOLATILE.includes(name) ? [`${name}: ${raw[i + 1]}`] : [],
  )

/** How many answers took the short way. */
const countKnown = async (app: App): Promise<number> => {
  const { body } = await app.inject('/metrics')
  return Number(/^afterword_known_requests_total (\d+)$/m.exec(body)?.[1])
}

/** Sends the same request both ways. Fails unless the answers are the same and each took its way. */
const compareWays = async (
  t: Test,
  client: Client,
  path: string,
  headers: Headers = {},
  method = 'GET',
) => {
  const long = await client.get(path, { ...headers, ...LONG }, method)
  const name = `${method} ${path} ${JSON.stringify(headers)}`
  // A request takes the long way once a second, to read the site again.
  const short = await until(`a short way: ${name}`, async () => {
    const before = client.countLong()
    const answer = await client.get(path, headers, method)
    return client.countLong() === before ? answer : undefined
  })
  const { status, lines } = long
  t.same({ status: short.status, lines: short.lines }, { status, lines }, name)
  t.ok(short.body.equals(long.body), `${name}: the same bytes`)
  return short
}

const open = async (t: Test, options: ServiceOptions = {}) => {
  const service = await openService(t, {
    limits: { read: 1_000_000, write: 1_000_000 },
    ...options,
  })
  return { service, client: await openClient(t, service.app) }
}

/** Enough comments for two pages of every list. */
const seed = async (service: TestService) => {
  const first = await service.post('a', 'A long comment. '.repeat(100))
  const as = { token: first.guest_token }
  for (let n = 0; n < 4; n++) await service.post('a', `reply ${n}`, { parent_id: first.id }, as)
  await service.post('b', 'another', {}, as)
  return { first, targets: targetsOf(first) }
}

const targetsOf = ({ id, author }: Record<string, any>): string[] =>
  [
    '/articles/a',
    '/articles/absent',
    '/articles/a/comments',
    '/articles/a/comments?limit=2&view=flat&sort=oldest',
    '/articles/a/comments?sort=top&limit=1&depth=1',
    '/articles/a/comments?limit=1&include=config,staff',
    '/articles/absent/comments?include=config,staff',
    `/articles/a/comments?focus=${id}`,
    '/articles/absent/comments',
    `/comments/${id}/replies?limit=2`,
    '/comments?limit=2',
    '/comments?excerpt=10&parent=reply&article_id=a&article_id=b',
    '/articles?limit=1',
    '/counts?article_id=a&article_id=%61%62',
    `/authors/${author.id}/comments?limit=3`,
  ].map((path) => `${SITE}${path}`)

t.test('a known request gets the same status, headers and bytes as the long way', async (t) => {
  const { service, client } = await open(t)
  const { targets } = await seed(service)
  for (const target of targets) {
    for (const encoding of ['identity', 'gzip, br;q=0.5', 'br']) {
      const accepting = { 'accept-encoding': encoding }
      const { headers } = await compareWays(t, client, target, accepting)
      const etag = String(headers.etag)
      for (const condition of [etag, `W/${etag}`, `"x", ${etag}`, '*', '"x"'])
        await compareWays(t, client, target, { ...accepting, 'if-none-match': condition })
    }
  }
})

t.test('each page of a walk is known with its own Link header', async (t) => {
  const { service, client } = await open(t)
  const { targets } = await seed(service)
  for (const target of targets) {
    for (let next: string | undefined = target; next; ) {
      const { headers } = await compareWays(t, client, next)
      next = /<(.+)>/.exec(String(headers.link ?? ''))?.[1]
    }
  }
})

const A = 'https://a.example'
const B = 'https://b.example'
/** The long way compares origins character by character, and never allows `null`. */
const SENT_ORIGINS = [A, B, 'https://A.example', 'null', `${A}, ${B}`, 'x']

t.test('a known request from any origin gets the headers of the long way', async (t) => {
  const { service, client } = await open(t)
  const { targets } = await seed(service)
  for (const target of targets) {
    const { headers } = await compareWays(t, client, target, { origin: A })
    const condition = { 'if-none-match': String(headers.etag) }
    await compareWays(t, client, target, { origin: A, ...condition })
  }
  const target = targets[0]!
  for (const origins of [[], [A], [B, A], ['*'], [B]]) {
    const body = { origins }
    t.match(await service.call('PATCH', SITE, { token: service.adminKey, body }), { status: 200 })
    for (const origin of SENT_ORIGINS) {
      const allowed = origins.includes(origin) ? origin : undefined
      // The first request after a change of the site takes either way.
      const { headers } = await client.get(target, { origin })
      t.equal(headers['access-control-allow-origin'], allowed ?? '*')
      if (allowed ?? origins[0] === '*') await compareWays(t, client, target, { origin })
      else t.equal((await client.get(target, { origin })).status, 403)
    }
  }
})

t.test('a known HEAD gets the headers of the long way, and no body', async (t) => {
  const { service, client } = await open(t)
  const { targets } = await seed(service)
  for (const target of targets) {
    const { headers } = await compareWays(t, client, target, { 'accept-encoding': 'br' }, 'HEAD')
    t.ok(Number(headers['content-length']) > 0)
    await compareWays(t, client, target, { 'if-none-match': String(headers.etag) }, 'HEAD')
    await compareWays(t, client, target)
  }
})

/** Two nodes with a client each; the first one writes. */
const openNodes = async (t: Test) => {
  const { service, client } = await open(t, { tokens: createLocalCacheTokens(randomUUID) })
  const twin = await openTwin(t, service, { limits: { read: 1_000_000, write: 0 } })
  return { service, clients: [client, await openClient(t, twin)] }
}

const WRITES = ['post', 'reply', 'reject', 'approve', 'close', 'hide', 'open'] as const

/** Writes once; a write that no longer applies is refused, which changes nothing. */
const write = async (
  service: TestService,
  kind: (typeof WRITES)[number],
  id: string,
  n: number,
) => {
  const token = service.adminKey
  const patch = (path: string, body: object) =>
    service.call('PATCH', `${SITE}${path}`, { token, body })
  if (kind === 'post' || kind === 'reply') {
    const parent = kind === 'reply' ? { parent_id: id } : {}
    const body = { body: `${kind} ${n}`, author: { name: 'Ada' }, ...parent }
    return service.call('POST', `${SITE}/articles/a/comments`, { token, body })
  }
  if (kind === 'reject') return service.decide(id, 'approved', 'rejected')
  if (kind === 'approve') return service.decide(id, 'rejected', 'approved')
  const state = { close: 'closed', hide: 'hidden', open: 'open' }[kind]
  return patch('/articles/a', { state })
}

t.test(
  'a known request shows changed settings at once on their node, soon on others',
  async (t) => {
    const { service, clients } = await openNodes(t)
    const { targets } = await seed(service)
    for (const client of clients) await compareKnown(client, targets)
    const body = { slow_mode_seconds: 77 }
    await service.call('PATCH', SITE, { token: service.adminKey, body })
    const shows = async ({ get }: Client): Promise<boolean> =>
      String((await get(`${SITE}/articles/absent`)).body).includes('"slow_mode_seconds":77')
    t.ok(await shows(clients[0]!))
    await until('the other node has read the settings', () => shows(clients[1]!))
    for (const client of clients) await compareKnown(client, targets)
  },
)

t.test('a known request shows every write to a thread by any node immediately', async (t) => {
  const { service, clients } = await openNodes(t)
  const { first, targets } = await seed(service)
  const acts = fc.array(fc.constantFrom(...WRITES), { minLength: 3, maxLength: 8 })
  let n = 0
  const property = fc.asyncProperty(acts, async (kinds) => {
    for (const kind of kinds) {
      await write(service, kind, first.id, n++)
      for (const client of clients) await compareKnown(client, targets)
    }
  })
  await t.resolves(fc.assert(property, { numRuns: runs(2, 15), endOnFailure: true }))
})

/** Sends each request the short way first if it is known, and fails unless the long way agrees. */
const compareKnown = async ({ get }: Client, targets: readonly string[]): Promise<void> => {
  for (const target of targets) {
    const short = await get(target)
    const long = await get(target, LONG)
    const isSame = short.status === long.status && short.body.equals(long.body)
    if (!isSame) throw new Error(`${target}: ${String(short.body)} is not ${String(long.body)}`)
  }
}

t.test('requests that other headers or methods change take the long way', async (t) => {
  const { service, client } = await open(t)
  const target = `${SITE}/articles/a/comments`
  await compareWays(t, client, target)
  const known = await client.countKnown()
  t.match(await client.get(target, { authorization: `Bearer ${service.adminKey}` }), {
    status: 200,
    headers: { 'cache-control': 'private, no-store' },
  })
  t.equal((await client.get(target, { authorization: 'Bearer x' })).status, 401)
  t.equal((await client.get(target, { origin: '' })).status, 200)
  t.equal((await client.get(target, {}, 'DELETE')).status, 405)
  t.equal((await client.get(`${target}?`)).status, 200)
  t.equal(await client.countKnown(), known)
})

t.test('a known request is counted with all others of its network, and refused', async (t) => {
  const limits = { read: 6, write: 0 }
  const { client } = await open(t, { limits, trustedProxies: ['127.0.0.1'] })
  const target = `${SITE}/articles/a/comments`
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const statuses: number[] = []
  const left: string[] = []
  for (let n = 0; n < 8; n++) {
    const { status, headers } = await client.get(target, from('203.0.113.9'))
    statuses.push(status)
    left.push(String(headers.ratelimit).replace(/;t=\d+$/, ''))
  }
  t.same(statuses, [200, 200, 200, 200, 200, 200, 429, 429])
  t.same(
    left,
    [5, 4, 3, 2, 1, 0, 0, 0].map((rest) => `"read";r=${rest}`),
  )
  t.ok((await client.countKnown()) > 0, 'some requests took the short way')
  const other = await client.get(target, from('203.0.113.10'))
  t.match(other, { status: 200, headers: { ratelimit: /^"read";r=5;/ } })
  const forwarded = await client.get(target, from('203.0.113.10, 203.0.113.9'))
  t.equal(forwarded.status, 429, 'the last address that no proxy is trusted for')
})

t.test('a known request gets the long way’s refusal when its page is gone', async (t) => {
  const { service, client } = await open(t)
  const { id } = await service.post('a', 'the only comment')
  const target = `${SITE}/articles/a/comments?focus=${id}`
  await compareWays(t, client, target)
  await service.decide(id, 'approved', 'rejected')
  for (const headers of [{}, LONG]) {
    const { status, body } = await client.get(target, headers)
    t.match({ status, ...JSON.parse(String(body)) }, { status: 404, code: 'not_found' })
  }
})

t.test('a site that closes to readers, moves or ends answers no known request', async (t) => {
  const { service, client } = await open(t)
  const target = `${SITE}/articles/a/comments`
  const token = service.adminKey
  const change = (body: object) => service.call('PATCH', SITE, { token, body })
  await compareWays(t, client, target)
  t.match(await change({ who_may_read: 'members' }), { status: 200 })
  t.equal((await client.get(target)).status, 401)
  t.match(await change({ who_may_read: 'anyone' }), { status: 200 })
  await compareWays(t, client, target)
  const act = (path: string, body: object) =>
    service.call('POST', `/v1/sites/${path}`, { token, body })
  t.match(await act('default/renames', { slug: 'magazine' }), { status: 200 })
  await compareWays(t, client, target)
  const renamed = `/v1/sites/magazine/articles/a/comments`
  await compareWays(t, client, renamed)
  t.match(await act('magazine/deletions', { confirm: 'magazine' }), { status: 202 })
  t.equal((await client.get(target)).status, 404)
  t.equal((await client.get(renamed)).status, 404)
})

t.test('a known request has a line of its own in the log, with the same fields', async (t) => {
  const lines: Record<string, unknown>[] = []
  const logger = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) })
  const { client } = await open(t, { logger })
  const target = `${SITE}/articles/a/comments`
  await compareWays(t, client, target)
  const ofThread = () => lines.filter(({ operation }) => operation === 'listThread')
  await until('three lines', () => ofThread().length >= 3)
  const long = ofThread()[0]
  const short = ofThread().at(-1)
  t.same(Object.keys(short!), Object.keys(long!))
  t.match(short, { level: 30, site: 'default', status: 200, msg: 'listThread 200' })
  t.equal(new Set(ofThread().map(({ reqId }) => reqId)).size, ofThread().length)
  const { body } = await client.get('/metrics')
  const count = `_seconds_count{operation="listThread",status="200"} ${ofThread().length}`
  t.ok(String(body).includes(count), count)
})

t.test('known requests keep no request alive', async (t) => {
  const { service, client } = await open(t)
  const { targets } = await seed(service)
  const requests: WeakRef<object>[] = []
  service.app.server.on('request', (raw) => requests.push(new WeakRef(raw)))
  for (const target of targets) await compareWays(t, client, target)
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  await until('the requests are gone', async () => {
    await client.get('/livez')
    collectGarbage()
    // The connection itself keeps its latest requests.
    return requests.filter((request) => request.deref()).length <= 2
  })
  t.ok(requests.length > targets.length)
})
