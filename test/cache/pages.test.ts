import t from 'tap'
import {
  createMemoryPages,
  createTieredPages,
  type Page,
  type PageName,
} from '../../src/cache/pages.ts'
import { createBreaker } from '../../src/redis/connection.ts'
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
const makePage = (text: string): Page => ({
  etag: `"${text}"`,
  next: null,
  bytes: Buffer.from(text),
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

t.test('a page is built once and then remembered', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const page = makePage('a')
  t.equal(await pages.page(name, builder(10, page)), page)
  t.equal(await pages.page({ ...name }, mustNotBuild), page)
  t.match(pages.stats(), { hits: 1, misses: 1 })
})

t.test('every part of the name counts', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  await pages.page(name, builder(10, makePage('a')))
  const others = [{ site: 1 }, { thread: 2 }, { version: 9 }, { version: 11 }, { variant: 'w' }]
  for (const other of others) {
    const asked = { ...name, ...other }
    const build = builder(asked.version, makePage('b'))
    await pages.page(asked, build)
    t.equal(build.calls, 1, JSON.stringify(other))
  }
})

t.test('readers who come at the same time share one build', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const build = builder(10, makePage('a'))
  const answers = await Promise.all(Array.from({ length: 100 }, () => pages.page(name, build)))
  t.equal(build.calls, 1)
  t.equal(new Set(answers).size, 1)
  t.match(pages.stats(), { hits: 99, misses: 1 })
})

t.test('a failed build rejects all who wait, and the next reader builds again', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const fail = async (): Promise<never> => {
    throw new Error('postgres is away')
  }
  const answers = await Promise.allSettled([1, 2, 3].map(() => pages.page(name, fail)))
  t.ok(answers.every((answer) => answer.status === 'rejected'))
  t.equal(pages.stats().bytes, 0)
  const page = makePage('a')
  t.equal(await pages.page(name, builder(10, page)), page)
})

t.test('a build that read a newer version is remembered under that version', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const page = makePage('newer')
  t.equal(await pages.page(name, builder(12, page)), page)
  t.equal(await pages.page({ ...name, version: 12 }, mustNotBuild), page)
  const again = builder(12, page)
  await pages.page(name, again)
  t.equal(again.calls, 1, 'nothing is under the name that was asked')
})

t.test('a build that read an older version is answered but not remembered', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  const name = makeName()
  const stale = makePage('older')
  t.equal(await pages.page(name, builder(9, stale)), stale)
  t.equal(pages.stats().bytes, 0)
  const page = makePage('right')
  t.equal(await pages.page(name, builder(10, page)), page)
  t.equal(await pages.page({ ...name, version: 9 }, builder(9, page)), page)
})

t.test('memory holds no more bytes than it may', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE })
  for (let i = 0; i < 100; i++) {
    await pages.page(
      makeName(),
      builder(10, { etag: '"e"', next: null, bytes: Buffer.alloc(100_000) }),
    )
    t.ok(pages.stats().bytes <= MEBIBYTE)
  }
  t.ok(pages.stats().bytes > MEBIBYTE / 2)
})

t.test(
  'a page nearly as big as the budget is remembered; a bigger one is only answered',
  async (t) => {
    const pages = createMemoryPages({ maxBytes: MEBIBYTE })
    const name = makeName()
    const big = { etag: '"e"', next: null, bytes: Buffer.alloc(MEBIBYTE - 1_000) }
    await pages.page(name, builder(10, big))
    t.equal(await pages.page(name, mustNotBuild), big)
    const bigger = { etag: '"e"', next: null, bytes: Buffer.alloc(MEBIBYTE) }
    t.equal(await pages.page(makeName(), builder(10, bigger)), bigger)
    t.equal(await pages.page(name, mustNotBuild), big, 'and evicts nothing')
  },
)

t.test('an expired page leaves memory without being asked for', async (t) => {
  const pages = createMemoryPages({ maxBytes: MEBIBYTE, lifetimeMs: 20 })
  await pages.page(makeName(), builder(10, makePage('a')))
  await until('memory to be empty', async () => pages.stats().bytes === 0 || undefined)
  t.equal(pages.stats().bytes, 0)
})

t.test('what one node built another finds in redis', { skip: skipShared }, async (t) => {
  const openNode = async () => {
    const redis = await openPatientRedis(t, SHARED_URL)
    const store = createRedisPages(redis, createBreaker({ pauseMs: 1_000 }))
    return { store, pages: createTieredPages({ maxBytes: MEBIBYTE, store }) }
  }
  const [one, other] = await Promise.all([openNode(), openNode()])
  const name = makeName()
  const page = makePage('a')
  await one.pages.page(name, builder(12, page))
  await until('the page in redis', () => one.store.find({ ...name, version: 12 }))
  t.same(await other.pages.page({ ...name, version: 12 }, mustNotBuild), page)
  t.equal(await other.store.find(name), undefined, 'not under the version that was asked')
  t.match(other.pages.stats(), { hits: 1, misses: 0 })
})

t.test('a stale build never reaches redis', { skip: skipShared }, async (t) => {
  const redis = await openPatientRedis(t, SHARED_URL)
  const store = createRedisPages(redis, createBreaker({ pauseMs: 1_000 }))
  const pages = createTieredPages({ maxBytes: MEBIBYTE, store })
  const name = makeName()
  await pages.page(name, builder(9, makePage('older')))
  t.same(await redis.keys(`{${name.site}:*`), [])
})

t.test('a redis that is frozen or killed changes no answer', { skip: skipOwn }, async (t) => {
  const server = await startServer(t)
  const { redis } = await openRedis(t, server.url)
  const store = createRedisPages(redis, createBreaker({ pauseMs: 20 }))
  const pages = createTieredPages({ maxBytes: MEBIBYTE, store })
  for (const harm of [server.freeze, server.kill]) {
    await harm()
    const name = makeName()
    const page = makePage('a')
    t.equal(await pages.page(name, builder(10, page)), page)
    t.equal(await pages.page(name, mustNotBuild), page)
  }
})

t.test('a budget of nothing keeps nothing, and answers', async (t) => {
  const pages = createMemoryPages({ maxBytes: 0 })
  let builds = 0
  const build = async () => {
    builds += 1
    return { version: 1, page: { etag: '"e"', next: null, bytes: Buffer.from('text') } }
  }
  const name = { site: 1, thread: 1, version: 1, variant: 'v' }
  await pages.page(name, build)
  t.equal((await pages.page(name, build)).bytes.toString(), 'text')
  t.equal(builds, 2)
})
