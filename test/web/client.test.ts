import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { AfterwordError, type Client, createClient, type Wire } from '../../web/client/client.ts'
import { listen } from '../http/sockets.ts'
import { runs } from '../lengths.ts'
import { openSignOn, signToken } from '../members.ts'
import { openService, type ServiceOptions } from '../service.ts'

/** How the link treats the next request. */
type Act =
  | 'pass'
  | 'lose the request'
  | 'lose the response'
  | 'lose half a response'
  | 'be busy'
  | 'be busy for an hour'
const FAILURES = [
  'lose the request',
  'lose the response',
  'lose half a response',
  'be busy',
] as const
const busyFor = (seconds: number) =>
  `HTTP/1.1 503 Busy\r\nretry-after: ${seconds}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`

/** A link to the service that loses what the acts say, in the order of the requests. */
const openLink = async (t: Test, port: number) => {
  const acts: Act[] = []
  const requests: string[] = []
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    let act: Act = 'pass'
    const end = () => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) socket.on('error', end).on('close', end)
    near.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      if (/^[A-Z]+ \/v1\//.test(text)) {
        requests.push(text)
        act = acts.shift() ?? 'pass'
      }
      if (act === 'lose the request') return end()
      if (act === 'be busy for an hour') return near.end(busyFor(3600))
      return act === 'be busy' ? near.end(busyFor(1)) : far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (act === 'pass') return near.write(bytes)
      if (act === 'lose the response') return end()
      return near.write(bytes.subarray(0, bytes.length / 2), end)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address() as { port: number }
  return { url: `http://127.0.0.1:${address.port}`, acts, requests }
}

const open = async (t: Test, options: ServiceOptions = {}) => {
  const service = await openService(t, options)
  const port = await listen(service.app)
  return { service, port, url: `http://127.0.0.1:${port}` }
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

const at = (article: string) => ({ path: { article_id: article } })
const draft = (article: string, body: string) => ({
  params: at(article),
  body: { body, author: { name: 'Ada' } },
})
const COMMENTS = '/articles/{article_id}/comments'

/** The error of a call that must fail. */
const errorOf = async (promise: Promise<unknown>): Promise<AfterwordError> => {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  )
  if (!(error instanceof AfterwordError)) throw error ?? new Error('the call succeeded')
  return error
}

t.test('walkThread gives every comment of a thread once, parents before replies', async (t) => {
  const { service, url } = await open(t)
  const client = createClient({ service: url })
  let count = 0
  const walks = fc.record({
    parents: fc.array(fc.nat(), { minLength: 1, maxLength: 25 }),
    limit: fc.integer({ min: 1, max: 4 }),
    depth: fc.integer({ min: 1, max: 4 }),
    replies: fc.integer({ min: 1, max: 3 }),
    sort: fc.constantFrom('newest', 'oldest', 'top', 'best'),
  })
  await fc.assert(
    fc.asyncProperty(walks, async ({ parents, ...query }) => {
      const article = `thread/${++count} ?&#`
      const ids: string[] = []
      for (const [n, chosen] of parents.entries()) {
        // One comment in n + 1 is a root, the others are replies to an earlier one.
        const parent = chosen % (n + 1)
        const more = parent === n ? {} : { parent_id: ids[parent] }
        ids.push((await service.post(article, `comment ${n}`, more)).id)
      }
      const walked = await collect(client.walkThread(article, query))
      const seen = walked.map(({ id }) => id)
      t.same(seen.toSorted(), ids.toSorted(), JSON.stringify({ parents, query }))
      for (const { id, parent_id: parent } of walked)
        if (parent !== null) t.ok(seen.indexOf(parent) < seen.indexOf(id))
      const recent = client.walk('/comments', {
        params: { query: { article_id: [article], limit: query.limit } },
      })
      const listed = (await collect(recent)).map(({ id }) => id)
      t.same(listed, ids.toReversed(), 'walk gives the same comments, newest first')
    }),
    { numRuns: runs(4, 30) },
  )
})

t.test('a post is stored once, whatever the connection loses', async (t) => {
  const { service, port } = await open(t)
  const link = await openLink(t, port)
  const client = createClient({ service: link.url })
  let count = 0
  const losses = fc.array(fc.constantFrom<Act[]>(...FAILURES), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(losses, async (acts) => {
      const article = `lossy-${++count}`
      link.acts.push(...acts)
      const posted = await client.post(COMMENTS, draft(article, 'only once'))
      const stored = await service.get(`/articles/${article}/comments`)
      t.same(
        stored.body.items.map(({ id }: Wire['Comment']) => id),
        [posted.id],
        acts.join(', '),
      )
    }),
    { numRuns: runs(4, 20) },
  )
})

t.test('a failed post can be sent again later under its own key', async (t) => {
  const { service, port } = await open(t)
  const link = await openLink(t, port)
  const client = createClient({ service: link.url, maxAttempts: 1 })
  link.acts.push('lose the response')
  const error = await errorOf(client.post(COMMENTS, draft('a', 'only once')))
  t.match(error, { code: 'network', status: 0, idempotencyKey: /^[\d-]{16,}$/ })
  const header = { 'idempotency-key': error.idempotencyKey! }
  const again = draft('a', 'only once')
  await client.post(COMMENTS, { ...again, params: { ...again.params, header } })
  t.equal((await service.get('/articles/a')).body.comment_count, 1)
})

t.test(
  'the client waits as long as Retry-After says, and gives up after four attempts',
  async (t) => {
    const { port } = await open(t)
    const link = await openLink(t, port)
    const client = createClient({ service: link.url })
    link.acts.push('be busy')
    const begun = performance.now()
    t.match(await client.get('/config'), { who_may_post: 'anyone' })
    t.ok(performance.now() - begun >= 1_000)
    t.equal(link.requests.length, 2)

    link.acts.push('lose the request', 'lose the request', 'lose the request', 'lose the request')
    t.equal((await errorOf(client.get('/config'))).code, 'network')
    t.equal(link.requests.length, 6)
  },
)

t.test('an aborted call is not sent again', async (t) => {
  const { port } = await open(t)
  const link = await openLink(t, port)
  const client = createClient({ service: link.url })
  link.acts.push('be busy')
  const abort = new AbortController()
  const asked = client.get('', { signal: abort.signal })
  setTimeout(() => abort.abort(), 50)
  await t.rejects(asked, { name: 'AbortError' })
  t.ok(link.requests.length <= 1)
})

t.test('a limit that asks for more than half a minute is an error immediately', async (t) => {
  const { port } = await open(t)
  const link = await openLink(t, port)
  const client = createClient({ service: link.url })
  link.acts.push('be busy for an hour')
  t.match(await errorOf(client.get('/config')), {
    code: 'unknown',
    status: 503,
    retryAfterSeconds: 3600,
  })
  t.equal(link.requests.length, 1)
})

t.test('requests that run together renew a refused token once', async (t) => {
  const { service, url } = await open(t)
  await openSignOn(service)
  const now = Math.floor(Date.now() / 1000)
  const expired = await signToken({ iat: now - 7_200, exp: now - 3_600 })
  const valid = await signToken()
  let asked = 0
  const token = async () => (++asked === 1 ? expired : valid)
  const client = createClient({ service: url, token })
  const viewer = () => client.get('/articles/{article_id}/viewer', { params: at('a') })
  for (const { author } of await Promise.all([viewer(), viewer(), viewer()]))
    t.equal(author?.name, 'Ada Member')
  t.equal(asked, 2)
  const posted = await client.post(COMMENTS, { params: at('a'), body: { body: 'as a member' } })
  t.match(posted, { author: { kind: 'member' } })
  t.equal(asked, 2, 'a good token is kept')
})

t.test(
  'the client asks for a new token after the service ignored a stale guest token',
  async (t) => {
    const { url } = await open(t)
    const tokens = [`g.x.${'A'.repeat(32)}`, null]
    const client = createClient({ service: url, token: () => tokens.shift() ?? null })
    t.equal((await client.get('/config')).site, 'default')
    t.equal(tokens.length, 1)
    await client.get('/config')
    t.equal(tokens.length, 0)
  },
)

t.test('a member who is signed out meanwhile posts nothing', async (t) => {
  const { service, url } = await open(t)
  await openSignOn(service)
  const tokens = ['not-a-token', null]
  const client = createClient({ service: url, token: () => tokens.shift() ?? null })
  t.match(await errorOf(client.post(COMMENTS, draft('a', 'as a member'))), {
    code: 'invalid_token',
    status: 401,
  })
  t.equal((await service.get('/articles/a')).body.comment_count, 0)
  const fixed = createClient({ service: url, token: 'not-a-token' })
  t.equal(
    (await errorOf(fixed.get('/config'))).code,
    'invalid_token',
    'a fixed token is not renewed',
  )
})

t.test('an error has the code of its problem, and the fields at fault', async (t) => {
  const { url } = await open(t)
  const client = createClient({ service: url })
  const missing = { params: { path: { id: 'nothing' } } }
  t.match(await errorOf(client.get('/comments/{id}', missing)), { code: 'not_found', status: 404 })
  t.match(await errorOf(client.post(COMMENTS, draft('a', ''))), {
    code: 'invalid_request',
    status: 400,
    errors: [{ pointer: '/body' }],
  })
  const { id } = await client.post(COMMENTS, draft('a', 'Hello'))
  const vote = client.put('/comments/{id}/vote', { params: { path: { id } }, body: { value: 1 } })
  t.match(await errorOf(vote), { code: 'login_required', status: 401 })
  const nowhere = createClient({ service: url, site: 'no such site' })
  t.equal((await errorOf(nowhere.get('/config'))).code, 'not_found')
})

t.test('a read after a write asks for at least its version', async (t) => {
  const { service, port } = await open(t)
  const link = await openLink(t, port)
  const client = createClient({ service: link.url, token: service.adminKey })
  const lastPath = () => link.requests.at(-1)!.split(' ')[1]!
  await client.get(COMMENTS, { params: at('a') })
  t.notMatch(
    lastPath(),
    /at_least/,
    'before a write, the address is the one that all readers share',
  )
  const { id } = await client.post(COMMENTS, draft('a', 'Hello'))
  const { thread } = await client.get(COMMENTS, { params: at('a') })
  t.match(lastPath(), `at_least=${thread.version}`)
  t.equal(thread.comment_count, 1)

  await client.delete('/comments/{id}', { params: { path: { id } } })
  const emptied = await client.get('/articles/{article_id}', { params: at('a') })
  t.match(lastPath(), `at_least=${emptied.version}`, 'a comment stands for its thread')
  t.equal(emptied.comment_count, 0)
  await client.get(COMMENTS, { params: at('b') })
  t.notMatch(lastPath(), /at_least/, 'another thread has other versions')
})

t.test('a read of an article whose thread was deleted finds the new thread', async (t) => {
  const { service, url } = await open(t)
  const client = createClient({ service: url })
  for (const body of ['one', 'two', 'three']) await client.post(COMMENTS, draft('a', body))
  const path = '/v1/sites/default/articles/a/deletions'
  const body = { expected_count: 3, dry_run: false }
  const deleted = await service.call('POST', path, { token: service.adminKey, body })
  t.equal(deleted.status, 202, deleted.text)
  await service.post('a', 'anew')
  const { thread } = await client.get(COMMENTS, { params: at('a') })
  t.equal(thread.comment_count, 1)
})

/** Never runs: the compiler checks that the types of the client follow the description of the API. */
export const checkTypes = async (client: Client): Promise<void> => {
  const { guest_token }: { guest_token?: string } = await client.post(COMMENTS, draft('a', 'b'))
  for await (const { article } of client.walk('/comments')) article.title satisfies string | null
  const { items } = await client.get('/v1/sites')
  items[0]!.slug satisfies string
  // @ts-expect-error: there is no such path.
  await client.get('/nowhere', { params: at(guest_token!) })
  // @ts-expect-error: the path has a parameter.
  await client.get('/comments/{id}')
  // @ts-expect-error: a list has items, one comment has none.
  for await (const { id } of client.walk('/comments/{id}', { params: at('a') })) t.ok(id)
}
