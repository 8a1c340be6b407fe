import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import t, { type Test } from 'tap'
import { createMemoryPages, createTieredPages } from '../../src/cache/pages.ts'
import { ENCODINGS, type Encoding, type Page, type PageName } from '../../src/domain/page-store.ts'
import { createRedisBreaker } from '../../src/redis/breaker.ts'
import { createRedisPages } from '../../src/redis/pages.ts'
import {
  openPatientRedis,
  openRedis,
  skipOwn,
  skipShared,
  startServer,
  until,
} from '../redis/own-server.ts'

const SHARED_URL = process.env.TEST_REDIS_URL ?? ''
const MEBIBYTE = 1_048_576

let lastSite = Date.now()
const makeName = (): PageName => ({ site: lastSite++, thread: 1, version: 10, variant: 'v' })
const makePage = (text: string): Page => makeBytes(Buffer.from(text), `"${text.slice(0, 20)}"`)
const makeBytes = (bytes: Buffer, etag = '"e"'): Page => ({
  etag,
  next: null,
  encoding: 'identity',
  bytes,
})

/** A build that counts its calls. */
const builder = (version: number, page: Page) => {
  const build = async () => {
    build.calls += 1
    return { version, page }
  }
  build.calls = 0
  return build
}

const mustNotBuild = async (): Promise<never> => {
  throw new Error('built again')
}

t.test('a page is built once and then cached', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const page = makePage('a')
  t.equal(await pages.page(name, 'identity', builder(10, page)), page)
  t.equal(await pages.page({ ...name }, 'identity', mustNotBuild), page)
  t.match(pages.stats(), { hits: 1, misses: 1 })
})

t.test('pages whose names differ in any part are cached apart', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  await pages.page(name, 'identity', builder(10, makePage('a')))
  const others = [{ site: 1 }, { thread: 2 }, { version: 9 }, { version: 11 }, { variant: 'w' }]
  for (const other of others) {
    const asked = { ...name, ...other }
    const build = builder(asked.version, makePage('b'))
    await pages.page(asked, 'identity', build)
    t.equal(build.calls, 1, JSON.stringify(other))
  }
})

t.test('readers who ask for a page at the same time share one build', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const build = builder(10, makePage('a'))
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => pages.page(name, 'identity', build)),
  )
  t.equal(build.calls, 1)
  t.equal(new Set(answers).size, 1)
  t.match(pages.stats(), { hits: 99, misses: 1 })
})

t.test('a failed page build rejects its readers, and the next reader builds again', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const fail = async (): Promise<never> => {
    throw new Error('postgres is away')
  }
  const answers = await Promise.allSettled([1, 2, 3].map(() => pages.page(name, 'identity', fail)))
  t.ok(answers.every((answer) => answer.status === 'rejected'))
  t.equal(pages.stats().bytes, 0)
  const page = makePage('a')
  t.equal(await pages.page(name, 'identity', builder(10, page)), page)
})

t.test('a page build that read a newer version is cached under that version', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const page = makePage('newer')
  t.equal(await pages.page(name, 'identity', builder(12, page)), page)
  t.equal(await pages.page({ ...name, version: 12 }, 'identity', mustNotBuild), page)
  const again = builder(12, page)
  await pages.page(name, 'identity', again)
  t.equal(again.calls, 1, 'nothing is under the name that was asked')
})

t.test('a page build that read an older version is returned but not cached', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const stale = makePage('older')
  t.equal(await pages.page(name, 'identity', builder(9, stale)), stale)
  t.equal(pages.stats().bytes, 0)
  const page = makePage('right')
  t.equal(await pages.page(name, 'identity', builder(10, page)), page)
  t.equal(await pages.page({ ...name, version: 9 }, 'identity', builder(9, page)), page)
})

t.test('the page cache keeps at most its bytes in memory', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  for (let i = 0; i < 100; i++) {
    await pages.page(makeName(), 'identity', builder(10, makeBytes(Buffer.alloc(100_000))))
    t.ok(pages.stats().bytes <= MEBIBYTE)
  }
  t.ok(pages.stats().bytes > MEBIBYTE / 2)
})

t.test('a page nearly as big as the memory is cached; a bigger one is only returned', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const big = makeBytes(Buffer.alloc(MEBIBYTE - 1_000))
  await pages.page(name, 'identity', builder(10, big))
  t.equal(await pages.page(name, 'identity', mustNotBuild), big)
  const bigger = makeBytes(Buffer.alloc(MEBIBYTE))
  t.equal(await pages.page(makeName(), 'identity', builder(10, bigger)), bigger)
  t.equal(await pages.page(name, 'identity', mustNotBuild), big, 'and evicts nothing')
})

t.test('an expired page leaves memory without a read', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE, lifetimeMs: 20 })
  await pages.page(makeName(), 'identity', builder(10, makePage('a')))
  await until('memory to be empty', async () => pages.stats().bytes === 0 || undefined)
  t.equal(pages.stats().bytes, 0)
})

const openNode = async (t: Test) => {
  const redis = await openPatientRedis(t, SHARED_URL)
  const store = createRedisPages(redis, createRedisBreaker({ pauseMs: 1_000 }))
  return { store, pages: createTieredPages({ maxBytes: MEBIBYTE, store }) }
}

t.test(
  'a page that one node built is found in Redis by another',
  { skip: skipShared },
  async (t) => {
    const [one, other] = await Promise.all([openNode(t), openNode(t)])
    const name = makeName()
    const page = makePage('a')
    await one.pages.page(name, 'identity', builder(12, page))
    await until('the page in redis', () => one.store.find({ ...name, version: 12 }, 'identity'))
    t.same(await other.pages.page({ ...name, version: 12 }, 'identity', mustNotBuild), page)
    t.equal(
      await other.store.find(name, 'identity'),
      undefined,
      'not under the version that was asked',
    )
    t.match(other.pages.stats(), { hits: 1, misses: 0 })
  },
)

t.test(
  'a page build that read an older version never reaches Redis',
  { skip: skipShared },
  async (t) => {
    const redis = await openPatientRedis(t, SHARED_URL)
    const store = createRedisPages(redis, createRedisBreaker({ pauseMs: 1_000 }))
    const pages = createTieredPages({ maxBytes: MEBIBYTE, store })
    const name = makeName()
    await pages.page(name, 'identity', builder(9, makePage('older')))
    t.same(await redis.keys(`{${name.site}:*`), [])
  },
)

t.test('a frozen or killed Redis changes no page', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis } = await openRedis(t, server.url)
  const store = createRedisPages(redis, createRedisBreaker({ pauseMs: 20 }))
  const pages = createTieredPages({ maxBytes: MEBIBYTE, store })
  for (const harm of [server.freeze, server.kill]) {
    await harm()
    const name = makeName()
    const page = makePage('a')
    t.equal(await pages.page(name, 'identity', builder(10, page)), page)
    t.equal(await pages.page(name, 'identity', mustNotBuild), page)
  }
})

t.test('a page cache of 0 bytes keeps nothing and still returns pages', async (t) => {
  const pages = createMemoryPages({ maxBytes: 0 })
  let builds = 0
  const build = async () => {
    builds += 1
    return { version: 1, page: makeBytes(Buffer.from('text')) }
  }
  const name = { site: 1, thread: 1, version: 1, variant: 'v' }
  await pages.page(name, 'identity', build)
  t.equal((await pages.page(name, 'identity', build)).bytes.toString(), 'text')
  t.equal(builds, 2)
})

const LONG = 'text-that-compresses.'.repeat(500)

const DECODERS: Record<Encoding, (bytes: Buffer) => Promise<Buffer>> = {
  identity: async (bytes) => bytes,
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
}
const decode = async ({ encoding, bytes }: Page): Promise<string> =>
  String(await DECODERS[encoding](bytes))

t.test('each encoding of a page is made once, however many readers ask together', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const build = builder(10, makePage(LONG))
  const ask = () => ENCODINGS.map((encoding) => pages.page(name, encoding, build))
  const answers = await Promise.all(Array.from({ length: 30 }, ask).flat())
  answers.push(...(await Promise.all(ask())))
  t.equal(build.calls, 1)
  for (const encoding of ENCODINGS) {
    const own = answers.filter((page) => page.encoding === encoding)
    t.equal(own.length, 31)
    t.equal(new Set(own.map(({ bytes }) => bytes)).size, 1, 'the same bytes for all')
    t.equal(await decode(own[0]!), LONG)
  }
  const tags = new Set(answers.map(({ etag }) => etag))
  t.equal(tags.size, 3, 'each with a tag of its own')
  t.ok([...tags].every((tag) => /^"[^"]+"$/.test(tag)))
})

t.test('a later encoding of a page is made from the cached page', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  await pages.page(name, 'identity', builder(10, makePage(LONG)))
  for (const encoding of ['gzip', 'br'] as const) {
    const page = await pages.page(name, encoding, mustNotBuild)
    t.equal(await decode(page), LONG)
    t.ok(page.bytes.length < LONG.length / 10)
    t.equal(await pages.page(name, encoding, mustNotBuild), page)
  }
  t.match(pages.stats(), { hits: 4, misses: 1 })
})

t.test('a small page is not compressed in any encoding', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const build = builder(10, makePage('small'))
  for (const encoding of ENCODINGS)
    t.same(await pages.page(name, encoding, build), makePage('small'))
  t.equal(build.calls, 1)
})

t.test('an encoded page build is cached under the version that it read', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const newer = await pages.page(name, 'gzip', builder(12, makePage(LONG)))
  t.equal(await pages.page({ ...name, version: 12 }, 'gzip', mustNotBuild), newer)
  const other = makeName()
  const older = await pages.page(other, 'br', builder(9, makePage(LONG)))
  t.equal(await decode(older), LONG)
  const right = builder(10, makePage(`${LONG}!`))
  t.equal(await decode(await pages.page(other, 'br', right)), `${LONG}!`)
  t.equal(right.calls, 1, 'what read an older version is not remembered')
})

t.test('a failed page build rejects readers who wait for its encodings', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const fail = async (): Promise<never> => {
    throw new Error('postgres is away')
  }
  const answers = await Promise.allSettled(ENCODINGS.map((one) => pages.page(name, one, fail)))
  t.ok(answers.every((answer) => answer.status === 'rejected'))
  t.equal(await decode(await pages.page(name, 'br', builder(10, makePage(LONG)))), LONG)
})

t.test('a page of the largest size is cached in every encoding', async (t) => {
  const pages = createMemoryPages({ maxBytes: 16 * MEBIBYTE })
  const name = makeName()
  const page = makeBytes(randomBytes(2.5 * MEBIBYTE))
  await pages.page(name, 'identity', builder(10, page))
  t.equal(await pages.page(name, 'identity', mustNotBuild), page)
  for (const encoding of ['gzip', 'br'] as const) {
    const encoded = await pages.page(name, encoding, mustNotBuild)
    t.ok((await DECODERS[encoding](encoded.bytes)).equals(page.bytes))
    t.equal(await pages.page(name, encoding, mustNotBuild), encoded)
  }
  t.ok(pages.stats().bytes > 3 * page.bytes.length)
})

t.test('the bytes of every encoding of a page count against the memory', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  for (let i = 0; i < 10; i++) {
    const name = makeName()
    const build = builder(10, makeBytes(randomBytes(60_000)))
    const before = pages.stats().bytes
    for (const encoding of ENCODINGS) await pages.page(name, encoding, build)
    t.ok(pages.stats().bytes <= MEBIBYTE)
    if (i === 0) t.ok(pages.stats().bytes - before > 180_000)
  }
  t.ok(pages.stats().bytes > MEBIBYTE / 2)
})

/** On a machine that is busy with others a healthy Redis may be late. */
const findBuilt = ({ pages }: Awaited<ReturnType<typeof openNode>>, name: PageName, as: Encoding) =>
  until('the page in redis', () => pages.page(name, as, mustNotBuild).catch(() => undefined))

t.test(
  'an encoding that one node made is found in Redis by another',
  { skip: skipShared },
  async (t) => {
    const [one, other] = await Promise.all([openNode(t), openNode(t)])
    const name = makeName()
    for (const encoding of ENCODINGS) {
      const page = await one.pages.page(name, encoding, builder(10, makePage(LONG)))
      await until('the page in redis', () => one.store.find(name, encoding))
      const found = await findBuilt(other, name, encoding)
      t.same(found, page)
      t.equal(await decode(found), LONG)
    }
  },
)

t.test(
  'a page found uncompressed in Redis is encoded, not built again',
  { skip: skipShared },
  async (t) => {
    const [one, other] = await Promise.all([openNode(t), openNode(t)])
    const name = makeName()
    await one.pages.page(name, 'identity', builder(10, makePage(LONG)))
    await until('the page in redis', () => one.store.find(name, 'identity'))
    t.equal(await decode(await findBuilt(other, name, 'br')), LONG)
    t.ok(await until('the encoded page in redis', () => one.store.find(name, 'br')))
  },
)
