import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { ENCODINGS, type Encoding } from '../../src/domain/page-store.ts'
import { stopClock } from '../by-hand.ts'
import { openLink } from '../races/proxy.ts'
import { openService, type TestService } from '../service.ts'
import { until } from '../start.ts'
import { openTwin } from '../twin.ts'

type App = TestService['app']
type Headers = Record<string, string>

const SITE = '/v1/sites/default'
const PUBLIC = 'public, max-age=0, must-revalidate'
const PRIVATE = 'private, no-store'

/** An answer as it goes out, and its text. */
const read = async (app: App, path: string, headers: Headers = {}) => {
  const answer = await app.inject({ method: 'GET', url: `${SITE}${path}`, headers })
  const encoding = (answer.headers['content-encoding'] ?? 'identity') as Encoding
  const { statusCode: status, headers: sent, rawPayload: bytes } = answer
  const text = bytes.length === 0 ? '' : String(await DECODERS[encoding](bytes))
  return { status, headers: sent, etag: String(sent.etag), encoding, bytes, text }
}

const DECODERS: Record<Encoding, (bytes: Buffer) => Promise<Buffer>> = {
  identity: async (bytes) => bytes,
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
}

const ARTICLES = Array.from({ length: 20 }, (_, n) => `article-${n}`)

/** Articles, comments of one guest and replies: enough for no list to be small. */
const seed = async (service: TestService) => {
  const first = await service.post('a', 'A long comment. '.repeat(200))
  const as = { token: first.guest_token }
  for (const article of ARTICLES) await service.post(article, `of ${article}`, {}, as)
  for (let n = 0; n < 12; n++) await service.post('a', `reply ${n}`, { parent_id: first.id }, as)
  return {
    first,
    threadPaths: [
      '/articles/a/comments',
      '/articles/a/comments?view=flat&sort=top',
      `/comments/${first.id}`,
      `/comments/${first.id}?context=1`,
      `/comments/${first.id}/replies`,
    ],
    listPaths: [
      '/comments',
      '/comments?excerpt=80&parent=reply',
      '/articles',
      `/counts?${ARTICLES.map((id) => `article_id=${id}`).join('&')}`,
      `/authors/${first.author.id}/comments`,
    ],
    smallPaths: ['/articles/a', '/articles/absent/comments', '/counts?article_id=a', '/config'],
  }
}

const NEGOTIATED: readonly (readonly [accepted: string | undefined, Encoding])[] = [
  [undefined, 'identity'],
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['br', 'br'],
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip;q=1.0, br;q=0.5', 'gzip'],
  ['br;q=0', 'identity'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0, gzip;q=0', 'identity'],
  ['identity, gzip;q=0.5', 'identity'],
  ['deflate', 'identity'],
  ['*', 'br'],
  ['gzip, *;q=0', 'gzip'],
  ['*;q=0', 'identity'],
]

t.test('content negotiation', async (t) => {
  const service = await openService(t)
  const { first, threadPaths, listPaths, smallPaths } = await seed(service)

  t.test('every public read is sent in the best accepted encoding', async (t) => {
    for (const path of [...threadPaths, ...listPaths]) {
      const plain = await read(service.app, path)
      for (const [accepted, encoding] of NEGOTIATED) {
        const headers: Headers = accepted === undefined ? {} : { 'accept-encoding': accepted }
        const answer = await read(service.app, path, headers)
        t.equal(answer.encoding, encoding, `${path} ${accepted}`)
        t.equal(answer.text, plain.text, 'and says the same')
        t.equal(answer.bytes.length, Number(answer.headers['content-length']))
        t.match(answer.headers, { vary: /Accept-Encoding/, 'cache-control': PUBLIC })
      }
    }
  })

  t.test(
    'an encoding refused by name is not sent to a client that accepts all others',
    async (t) => {
      const accepted = { 'accept-encoding': 'br;q=0, *' }
      t.not((await read(service.app, threadPaths[0]!, accepted)).encoding, 'br')
    },
  )

  t.test('small responses are not compressed, and vary all the same', async (t) => {
    for (const path of smallPaths) {
      const plain = await read(service.app, path)
      const answer = await read(service.app, path, { 'accept-encoding': 'br, gzip' })
      t.same(
        [answer.encoding, answer.text, answer.etag],
        ['identity', plain.text, plain.etag],
        path,
      )
      t.equal(answer.headers.vary, 'Accept-Encoding')
    }
  })

  t.test('HEAD returns the headers of GET in every encoding', async (t) => {
    for (const path of [threadPaths[0]!, listPaths[0]!])
      for (const encoding of ENCODINGS) {
        const headers = { 'accept-encoding': encoding }
        const got = await read(service.app, path, headers)
        const { headers: told } = await service.app.inject({
          method: 'HEAD',
          url: `${SITE}${path}`,
          headers,
        })
        for (const name of ['etag', 'content-encoding', 'content-length', 'vary'])
          t.equal(told[name], got.headers[name], `${path} ${encoding} ${name}`)
      }
  })

  t.test('each encoding has an entity tag of its own, and only that one gives 304', async (t) => {
    for (const path of [...threadPaths, ...listPaths]) {
      const tags = new Map<Encoding, string>()
      for (const encoding of ENCODINGS)
        tags.set(encoding, (await read(service.app, path, { 'accept-encoding': encoding })).etag)
      t.equal(new Set(tags.values()).size, 3, path)
      for (const encoding of ENCODINGS)
        for (const [other, tag] of tags) {
          const headers = { 'accept-encoding': encoding, 'if-none-match': tag }
          const answer = await read(service.app, path, headers)
          t.equal(answer.status, other === encoding ? 304 : 200, `${path} ${encoding} ${other}`)
          t.equal(answer.etag, tags.get(encoding))
          t.match(answer.headers, { vary: 'Accept-Encoding', 'cache-control': PUBLIC })
          t.equal(answer.text === '', other === encoding)
        }
    }
  })

  t.test('of a list of entity tags the one of the encoding counts', async (t) => {
    const path = threadPaths[0]!
    const tagOf = async (encoding: Encoding) =>
      (await read(service.app, path, { 'accept-encoding': encoding })).etag
    const [br, gzip] = [await tagOf('br'), await tagOf('gzip')]
    const status = async (tags: string) =>
      (await read(service.app, path, { 'accept-encoding': 'br', 'if-none-match': tags })).status
    t.equal(await status(`${gzip}, ${br}`), 304)
    t.equal(await status(`W/${br}`), 304)
    t.equal(await status(`${gzip}, "x"`), 200)
  })

  t.test('callers with a token get private responses in their accepted encoding', async (t) => {
    for (const token of [first.guest_token, service.adminKey])
      for (const path of [...threadPaths, ...listPaths, ...smallPaths]) {
        const open = await read(service.app, path, { 'accept-encoding': 'gzip' })
        const answer = await read(service.app, path, {
          'accept-encoding': 'gzip',
          'if-none-match': `${open.etag}, *`,
          authorization: `Bearer ${token}`,
        })
        t.equal(answer.status, 200, path)
        t.equal(answer.headers.etag, undefined, path)
        t.equal(answer.headers['cache-control'], PRIVATE, path)
        const isWhole = /^\/comments\/[^/]+$/.test(path) && token === service.adminKey
        if (!isWhole) t.same([answer.encoding, answer.text], [open.encoding, open.text], path)
      }
  })
})

type Tag = { app: App; path: string; encoding: Encoding; etag: string }

/** Copies that browsers and proxies keep after they read these paths in every encoding. */
const holdTags = async (apps: readonly App[], paths: readonly string[]): Promise<Tag[]> => {
  const tags: Tag[] = []
  for (const app of apps)
    for (const path of paths)
      for (const encoding of ENCODINGS) {
        // Twice, so that what can be remembered is.
        await read(app, path, { 'accept-encoding': encoding })
        const { etag } = await read(app, path, { 'accept-encoding': encoding })
        tags.push({ app, path, encoding, etag })
      }
  return tags
}

/** Those that still answer 304. */
const stillTrue = async (tags: readonly Tag[]): Promise<string[]> => {
  const answers = tags.map(async ({ app, path, encoding, etag }) => {
    const headers = { 'accept-encoding': encoding, 'if-none-match': etag }
    return (await read(app, path, headers)).status === 304 ? [`${path} ${encoding}`] : []
  })
  return (await Promise.all(answers)).flat()
}

const patch = (service: TestService, path: string, body: object) =>
  service.call('PATCH', `${SITE}${path}`, { token: service.adminKey, body })

/** Two nodes that share what there is to read. */
const openNodes = async (t: Test) => {
  const service = await openService(t)
  const seeded = await seed(service)
  const nodes = [service.app, await openTwin(t, service)]
  const paths = [...seeded.threadPaths, ...seeded.listPaths, '/articles/a', '/counts?article_id=a']
  return { ...seeded, service, nodes, paths }
}

type Nodes = Awaited<ReturnType<typeof openNodes>>

/** Changes that readers see, and the paths whose pages stay the same. */
type Change = {
  make: (nodes: Nodes, victim: Record<string, any>) => Promise<unknown>
  spares: RegExp
  /** It reaches other threads a moment after its answer. */
  isSoon?: true
}

const CHANGES: Record<string, Change> = {
  'a post': {
    make: ({ service, first }) => service.post('a', 'news', { parent_id: first.id }),
    spares: /article-|authors/,
  },
  'a hide': {
    make: ({ service }, victim) => service.decide(victim.id, 'approved', 'rejected'),
    spares: /article-|authors/,
  },
  'a deletion by its author': {
    make: ({ service }, { id, guest_token: token }) =>
      service.call('DELETE', `${SITE}/comments/${id}`, { token }),
    spares: /article-|authors/,
  },
  'an edit': {
    make: ({ service }, { id, guest_token: token }) =>
      service.call('PATCH', `${SITE}/comments/${id}`, { token, body: { body: 'other words' } }),
    spares: /counts|authors|^\/articles$/,
  },
  'a post under a new name in another thread': {
    make: ({ service, first: { guest_token: token } }) =>
      service.post('article-1', 'me again', { author: { name: 'Bo' } }, { token }),
    spares: /counts\?article_id=a$|^\/articles\/a$/,
    isSoon: true,
  },
  'a hide of the whole thread': {
    make: ({ service }) => patch(service, '/articles/a', { state: 'hidden' }),
    spares: /article-/,
  },
}

t.test('entity tags', async (t) => {
  const nodes = await openNodes(t)
  const { service, paths, threadPaths, first } = nodes
  const isOfThread = ({ path }: Tag) => threadPaths.includes(path)
  const isOfThreadPage = ({ path }: Tag) => path.startsWith('/articles/a/comments')

  t.test('entity tags stay valid after a comment is held and rejected', async (t) => {
    await patch(service, '/articles/a', { moderation: 'pre' })
    const tags = await holdTags(nodes.nodes, paths)
    const held = await service.post('a', 'held', { parent_id: first.id })
    t.equal(held.status, 'pending')
    t.equal((await stillTrue(tags)).length, tags.length)
    t.equal((await service.decide(held.id, 'pending', 'rejected')).status, 201)
    t.equal((await stillTrue(tags)).length, tags.length)
    await patch(service, '/articles/a', { moderation: 'post' })
  })

  for (const [what, { make, spares, isSoon }] of Object.entries(CHANGES))
    t.test(`entity tags from before ${what} give no 304 on any node`, async (t) => {
      const victim = await service.post('a', 'to be changed', { parent_id: first.id })
      const tags = (await holdTags(nodes.nodes, paths)).filter(({ path }) => !spares.test(path))
      t.equal((await stillTrue(tags)).length, tags.length, 'until then all do')
      await make(nodes, victim)
      if (isSoon)
        await until('it to reach all threads', async () => (await stillTrue(tags)).length === 0)
      t.same(await stillTrue(tags), [])
    })

  t.test('entity tags differ between builds', async (t) => {
    await patch(service, '/articles/a', { state: 'open' })
    const newer = await openTwin(t, service, { version: '0.0.1' })
    const tags = (await holdTags([service.app], paths)).filter(isOfThread)
    t.same(await stillTrue(tags.map((tag) => ({ ...tag, app: newer }))), [])
  })

  t.test(
    'entity tags differ under other settings of the site, on other nodes within a second',
    async (t) => {
      const tags = (await holdTags(nodes.nodes, paths)).filter(isOfThread)
      t.equal((await patch(service, '', { edit_window_seconds: 77 })).status, 200)
      t.same(await stillTrue(tags.filter(({ app }) => app === service.app)), [])
      await until('for the other node to know', async () => (await stillTrue(tags)).length === 0)
    },
  )

  t.test('entity tags differ once the closing time of a thread has come', async (t) => {
    const clock = stopClock(t)
    await patch(service, '/articles/a', { closes_at: '2999-01-01T00:00:00Z' })
    const tags = (await holdTags(nodes.nodes, paths)).filter(isOfThreadPage)
    t.equal((await stillTrue(tags)).length, tags.length)
    await sql`update threads set closes_at = now() where article_id = 'a'`.execute(service.db)
    clock.pass(1_000)
    t.same(await stillTrue(tags), [])
  })
})

/** A node whose way to Postgres can be hurt, and that has read everything of a thread. */
const openHurt = async (t: Test) => {
  const service = await openService(t)
  const { threadPaths } = await seed(service)
  const url = new URL(service.url)
  const link = await openLink(t, { host: url.hostname, port: Number(url.port) })
  url.port = String(link.port)
  const app = await openTwin(t, { ...service, url: url.href })
  const paths = ['/articles/a', ...threadPaths]
  const tags = await holdTags([app], paths)
  /** Of every path, the status and whether the answer is marked. */
  const look = async () => {
    const answers: string[] = []
    for (const path of paths) {
      const { status, headers } = await read(app, path)
      answers.push(`${status} ${String(headers['cache-status'] ?? 'confirmed')}`)
    }
    return new Set(answers)
  }
  return { service, app, link, tags, paths, look }
}

const CONFIRMED = new Set(['200 confirmed'])
const UNCONFIRMED = new Set(['200 Afterword; hit; detail=unconfirmed'])

t.test('while Postgres is away', async (t) => {
  const clock = stopClock(t)
  const { service, app, link, tags, paths, look } = await openHurt(t)
  link.cut()

  t.test('while Postgres is away, cached threads are served for a second as usual', async (t) => {
    t.same(await look(), CONFIRMED)
  })

  t.test(
    'while Postgres is away, cached threads are served after that as unconfirmed',
    async (t) => {
      for (const age of [1_500, 60_000, 100_000]) {
        clock.pass(age)
        t.same(await look(), UNCONFIRMED)
        t.equal((await stillTrue(tags)).length, tags.length, '304s do as well')
      }
    },
  )

  t.test(
    'while Postgres is away, a thread that is not cached gives 503, never an empty list',
    async (t) => {
      const unread = ['/articles/article-1', '/articles/article-1/comments', '/articles/absent']
      const variants = [`${paths[1]}?sort=top`, `${paths[1]}?at_least=${Number.MAX_SAFE_INTEGER}`]
      for (const path of [...unread, ...variants, '/comments', '/counts?article_id=a'])
        t.equal((await read(app, path)).status, 503, path)
    },
  )

  t.test('while Postgres is away, no changed thread is shown as it was', async (t) => {
    await service.decide((await service.post('a', 'news')).id, 'approved', 'rejected')
    t.same(await look(), new Set(['503 confirmed']))
  })

  t.test('once Postgres is back, responses are confirmed again', async (t) => {
    link.heal()
    clock.pass(1_000)
    await until('for Postgres to be asked again', async () => (await look()).has('200 confirmed'))
    t.same(await look(), CONFIRMED)
  })
})

t.test('while Postgres does not respond, cached threads are served as well', async (t) => {
  const clock = stopClock(t)
  const { link, tags, look } = await openHurt(t)
  link.freeze()
  for (const age of [1_500, 60_000]) {
    clock.pass(age)
    t.same(await look(), UNCONFIRMED)
    t.equal((await stillTrue(tags)).length, tags.length)
  }
  link.heal()
  await until('for Postgres to be asked again', async () => {
    clock.pass(1_000)
    return (await look()).has('200 confirmed')
  })
})
