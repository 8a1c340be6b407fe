import { promisify } from 'node:util'
import { brotliDecompress, gunzip } from 'node:zlib'
import t from 'tap'
import { createLocalCacheTokens, NO_CACHE_TOKENS } from '../../src/cache/cache-tokens.ts'
import { createListCache } from '../../src/cache/lists.ts'
import { type CacheTokens, siteToken } from '../../src/domain/cache-tokens.ts'
import { ENCODINGS, type Encoding, type Page } from '../../src/domain/page-store.ts'
import { createByHand, settle, stopClock } from '../by-hand.ts'
import { until } from '../redis/own-server.ts'

const SITE = 1
const TOKEN = siteToken(SITE)
const MEBIBYTE = 1_048_576

const makePage = (text: string): Page => ({
  etag: `"${text.slice(0, 20)}"`,
  next: null,
  encoding: 'identity',
  bytes: Buffer.from(text),
})

const textOf = async (page: Promise<Page>): Promise<string> => (await page).bytes.toString()

/** Local tokens that can be distrusted, with one for the site from the start. */
const openTokens = () => {
  let count = 0
  let trustedFrom = 0
  const tokens: CacheTokens = {
    ...createLocalCacheTokens(() => `token ${++count}`),
    trustedFrom: () => trustedFrom,
  }
  tokens.offer(TOKEN)
  return {
    tokens,
    change: () => tokens.invalidate([TOKEN]),
    distrust: (ms: number) => (trustedFrom = performance.now() + ms),
  }
}

/** A cache whose builds the test ends one by one, in the order in which they began. */
const openCache = (tokens: CacheTokens) => {
  const lists = createListCache({ cacheTokens: tokens, maxBytes: MEBIBYTE })
  const builds = createByHand<void, Page>()
  const read = (variant = 'v', encoding: Encoding = 'identity') =>
    textOf(lists.page({ site: SITE, variant }, encoding, () => builds.ask()))
  const finish = async (text: string) => (await builds.next()).answer(makePage(text))
  return { read, builds, finish, count: () => builds.calls.length }
}

t.test('a list is built once and remembered as long as its token is the same', async (t) => {
  stopClock(t)
  const { tokens, change } = openTokens()
  const { read, finish, count } = openCache(tokens)
  const first = read()
  await finish('one')
  t.equal(await first, 'one')
  for (let i = 0; i < 3; i++) t.equal(await read(), 'one')
  t.equal(count(), 1)
  await tokens.invalidate([siteToken(2), '1:1'])
  t.equal(await read(), 'one', 'other tokens are not its own')
  await change()
  const next = read()
  await finish('two')
  t.equal(await next, 'two')
  t.equal(count(), 2)
})

t.test('lists of different sites and variants are cached apart', async (t) => {
  stopClock(t)
  const lists = createListCache({ cacheTokens: openTokens().tokens, maxBytes: MEBIBYTE })
  const names = [
    { site: SITE, variant: 'v' },
    { site: SITE, variant: 'w' },
    { site: 2, variant: 'v' },
  ]
  for (const _ of [1, 2])
    for (const name of names) {
      const build = async () => makePage(JSON.stringify(name))
      t.equal(await textOf(lists.page(name, 'identity', build)), JSON.stringify(name))
    }
})

t.test('a reader who comes during a build and has its token shares the build', async (t) => {
  const { tokens } = openTokens()
  const { read, finish, count } = openCache(tokens)
  const readers = Array.from({ length: 50 }, () => read())
  await settle()
  readers.push(...Array.from({ length: 50 }, () => read()))
  await settle()
  await finish('one')
  t.same(new Set(await Promise.all(readers)), new Set(['one']))
  t.equal(count(), 1)
})

t.test(
  'readers under another token share the next build, and one build runs at a time',
  async (t) => {
    const { tokens, change } = openTokens()
    const { read, finish, count } = openCache(tokens)
    const early = read()
    await settle()
    await change()
    const late = Array.from({ length: 10 }, () => read())
    await settle()
    t.equal(count(), 1, 'the next waits for the one under way')
    await finish('old')
    t.equal(await early, 'old')
    await finish('new')
    t.same(new Set(await Promise.all(late)), new Set(['new']))
    t.equal(await read(), 'new', 'and is remembered')
    t.equal(count(), 2)
  },
)

t.test(
  'the next build is cached under the token of the last reader who came before it began',
  async (t) => {
    const { tokens, change } = openTokens()
    const { read, finish, count } = openCache(tokens)
    const first = read()
    await settle()
    await change()
    const second = read()
    await settle()
    await change()
    const third = read()
    await settle()
    await finish('one')
    await settle()
    const fourth = read()
    await settle()
    t.equal(count(), 2, 'who has that token too shares it when it has begun')
    await change()
    const fifth = read()
    await settle()
    await finish('two')
    await finish('three')
    t.same(await Promise.all([first, second, third, fourth, fifth]), [
      'one',
      'two',
      'two',
      'two',
      'three',
    ])
    t.equal(await read(), 'three')
    t.equal(count(), 3)
  },
)

t.test('a build is not cached as current when its token was replaced meanwhile', async (t) => {
  const { tokens, change } = openTokens()
  const { read, finish } = openCache(tokens)
  const early = read()
  await settle()
  await change()
  await finish('old')
  t.equal(await early, 'old')
  const late = read()
  await finish('new')
  t.equal(await late, 'new')
})

for (const trustedFrom of [Number.POSITIVE_INFINITY, 0])
  t.test(
    'without a cache token, readers share no running build and no build is cached',
    async (t) => {
      const { read, finish, count } = openCache({
        ...NO_CACHE_TOKENS,
        trustedFrom: () => trustedFrom,
      })
      const early = read()
      await settle()
      const late = [read(), read()]
      await settle()
      t.equal(count(), 1)
      await finish('one')
      t.equal(await early, 'one')
      await finish('two')
      t.same(await Promise.all(late), ['two', 'two'])
      const again = read()
      await finish('three')
      t.equal(await again, 'three')
    },
  )

t.test('a missing cache token is offered for the next reader', async (t) => {
  let count = 0
  const tokens = createLocalCacheTokens(() => `token ${++count}`)
  const { read, finish } = openCache(tokens)
  const first = read()
  await finish('one')
  t.equal(await first, 'one')
  t.equal(await tokens.find(TOKEN), 'token 1')
  const second = read()
  await finish('two')
  t.equal(await second, 'two', 'the first was built under none')
  t.equal(await read(), 'two')
})

t.test('a cached list is at most a second old, counted from the start of its build', async (t) => {
  const clock = stopClock(t)
  const { tokens } = openTokens()
  const { read, finish, count } = openCache(tokens)
  const slow = read()
  await settle()
  clock.pass(600)
  await finish('one')
  t.equal(await slow, 'one')
  clock.pass(399)
  t.equal(await read(), 'one')
  t.equal(count(), 1)
  clock.pass(1)
  const late = read()
  await finish('two')
  t.equal(await late, 'two')
})

t.test(
  'a reader who comes a second after a build began shares the next one, which begins then',
  async (t) => {
    const clock = stopClock(t)
    const { tokens } = openTokens()
    const { read, finish, count } = openCache(tokens)
    const early = read()
    await settle()
    clock.pass(1_000)
    const late = read()
    await settle()
    t.equal(count(), 1)
    clock.pass(5_000)
    await finish('one')
    await finish('two')
    t.same(await Promise.all([early, late]), ['one', 'two'])
    clock.pass(999)
    t.equal(await read(), 'two')
    t.equal(count(), 2)
  },
)

t.test('while no cache token is trusted, readers share no build that began before', async (t) => {
  const clock = stopClock(t)
  const { tokens, distrust } = openTokens()
  const { read, finish, count } = openCache(tokens)
  const early = read()
  await settle()
  distrust(1_000)
  const late = read()
  await settle()
  await finish('one')
  await finish('two')
  t.same(await Promise.all([early, late]), ['one', 'two'])
  const again = read()
  await finish('three')
  t.equal(await again, 'three', 'and nothing is remembered')
  clock.pass(1_000)
  const trusted = read()
  await finish('four')
  t.equal(await trusted, 'four')
  t.equal(await read(), 'four')
  t.equal(count(), 4)
})

t.test('a failed list build rejects its readers, and the next reader builds again', async (t) => {
  const { tokens } = openTokens()
  const { read, finish, builds } = openCache(tokens)
  const readers = Promise.allSettled([read(), read()])
  const { fail } = await builds.next()
  await settle()
  fail(new Error('away'))
  t.match(await readers, [{ reason: { message: 'away' } }, { reason: { message: 'away' } }])
  const next = read()
  await finish('one')
  t.equal(await next, 'one')
  t.equal(await read(), 'one')
})

t.test('readers who wait for the next list build do not fail with the running one', async (t) => {
  const { tokens, change } = openTokens()
  const { read, finish, builds, count } = openCache(tokens)
  const early = read()
  const { fail } = await builds.next()
  await change()
  const late = read()
  await settle()
  fail(new Error('away'))
  await t.rejects(early, { message: 'away' })
  await finish('two')
  t.equal(await late, 'two')
  t.equal(await read(), 'two')
  t.equal(count(), 2)
})

t.test('a failed next list build leaves nothing behind', async (t) => {
  const { tokens, change } = openTokens()
  const { read, finish, builds } = openCache(tokens)
  const early = read()
  await settle()
  await change()
  const late = read()
  await settle()
  await finish('one')
  await early
  const { fail } = await builds.next()
  fail(new Error('away'))
  await t.rejects(late, { message: 'away' })
  const again = read()
  await finish('three')
  t.equal(await again, 'three')
})

const LONG = 'a long list '.repeat(1_000)
const DECODERS = {
  identity: async (bytes: Buffer) => bytes,
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
}

t.test('every encoding of a list comes from the same build and is made once', async (t) => {
  stopClock(t)
  const lists = createListCache({ cacheTokens: openTokens().tokens, maxBytes: MEBIBYTE })
  let builds = 0
  const read = (encoding: Encoding) =>
    lists.page({ site: SITE, variant: 'v' }, encoding, async () => makePage(`${++builds} ${LONG}`))
  const tags = new Set<string>()
  for (const encoding of ENCODINGS) {
    const pages = await Promise.all(Array.from({ length: 20 }, () => read(encoding)))
    pages.push(await read(encoding))
    t.equal(new Set(pages.map(({ bytes }) => bytes)).size, 1, encoding)
    const [page] = pages
    t.equal(page?.encoding, encoding)
    t.equal(String(await DECODERS[encoding](page!.bytes)), `1 ${LONG}`)
    tags.add(page!.etag)
  }
  t.equal(tags.size, 3)
  t.equal(builds, 1)
})

t.test('an encoded list is as old as its build, and goes with its token', async (t) => {
  const clock = stopClock(t)
  const { tokens, change } = openTokens()
  const lists = createListCache({ cacheTokens: tokens, maxBytes: MEBIBYTE })
  let builds = 0
  const read = async () => {
    const build = async () => makePage(`${++builds} ${LONG}`)
    const { bytes } = await lists.page({ site: SITE, variant: 'v' }, 'gzip', build)
    return Number.parseInt(String(await DECODERS.gzip(bytes)), 10)
  }
  t.equal(await read(), 1)
  clock.pass(999)
  t.equal(await read(), 1)
  clock.pass(1)
  t.equal(await read(), 2)
  await change()
  t.equal(await read(), 3)
})

t.test('a small list is not compressed', async (t) => {
  const lists = createListCache({ cacheTokens: openTokens().tokens, maxBytes: MEBIBYTE })
  const name = { site: SITE, variant: 'v' }
  const page = await lists.page(name, 'br', async () => makePage('small'))
  t.match(page, { encoding: 'identity', etag: '"small"' })
})

t.test('the list cache keeps at most its bytes, and no list longer than a second', async (t) => {
  const lists = createListCache({ cacheTokens: openTokens().tokens, maxBytes: MEBIBYTE })
  for (let i = 0; i < 50; i++) {
    const build = async () => makePage('x'.repeat(100_000))
    await lists.page({ site: SITE, variant: String(i) }, 'identity', build)
    t.ok(lists.stats().bytes <= MEBIBYTE)
  }
  t.ok(lists.stats().bytes > MEBIBYTE / 2)
  await until('memory to be empty', async () => lists.stats().bytes === 0 || undefined)
})
