import { randomInt } from 'node:crypto'
import t from 'tap'
import { PAGE_BYTES } from '../../src/domain/comment/tree.ts'
import { ENCODINGS, type Page } from '../../src/domain/page-store.ts'
import { createRedisBreaker } from '../../src/redis/breaker.ts'
import { createRedisPages } from '../../src/redis/pages.ts'
import {
  openPatientRedis,
  openRedis,
  skipOwn,
  skipShared,
  startServer,
  until,
} from './own-server.ts'

const SHARED_URL = process.env.TEST_REDIS_URL ?? ''
const PAGE: Page = {
  etag: '"1-ä"',
  next: null,
  encoding: 'identity',
  bytes: Buffer.from([0, 1, 2, 0xff, 0x0d, 0x0a]),
}

const makeName = (variant = 'sort=newest') => ({
  site: randomInt(2 ** 31),
  thread: 2,
  version: 1_700_000_000_000_000,
  variant,
})

const openStore = async (t: Parameters<typeof openRedis>[0], url: string) => {
  const redis = await openPatientRedis(t, url)
  return { redis, store: createRedisPages(redis, createRedisBreaker({ pauseMs: 1_000 })) }
}

t.test(
  'Redis pages: a page comes back byte for byte, and only under its name',
  { skip: skipShared },
  async (t) => {
    const { store } = await openStore(t, SHARED_URL)
    const name = makeName()
    t.equal(await store.find(name, 'identity'), undefined)
    await store.insert(name, PAGE)
    t.same(await store.find(name, 'identity'), PAGE)
    t.equal(await store.find({ ...name, version: name.version + 1 }, 'identity'), undefined)
    t.equal(await store.find({ ...name, variant: 'sort=oldest' }, 'identity'), undefined)
  },
)

t.test('Redis pages: a page is found only in its encoding', { skip: skipShared }, async (t) => {
  const { store } = await openStore(t, SHARED_URL)
  const name = makeName()
  for (const encoding of ENCODINGS) {
    t.equal(await store.find(name, encoding), undefined)
    const page = { ...PAGE, encoding, bytes: Buffer.from(encoding) }
    await store.insert(name, page)
    t.same(await store.find(name, encoding), page)
  }
})

t.test(
  'Redis pages: an empty page and the largest page come back',
  { skip: skipShared },
  async (t) => {
    const { store } = await openStore(t, SHARED_URL)
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(PAGE_BYTES, 'x')]) {
      const name = makeName()
      await store.insert(name, { ...PAGE, bytes })
      t.ok((await store.find(name, 'identity'))?.bytes.equals(bytes))
    }
  },
)

t.test(
  'Redis pages: a key has the thread as its hash tag and expires',
  { skip: skipShared },
  async (t) => {
    const { redis, store } = await openStore(t, SHARED_URL)
    const name = makeName()
    await store.insert(name, PAGE)
    const key = `{${name.site}:2}p:${name.version}:identity:sort=newest`
    const ttl = await redis.ttl(key)
    t.ok(ttl > 0 && ttl <= 300, 'twice that is the most that it lives, with the memory of a node')
  },
)

t.test('Redis pages: long variants are hashed, and stay apart', { skip: skipShared }, async (t) => {
  const { redis, store } = await openStore(t, SHARED_URL)
  const name = makeName(`${'v'.repeat(2_000)}1`)
  await store.insert(name, PAGE)
  t.same(await store.find(name, 'identity'), PAGE)
  t.equal(await store.find({ ...name, variant: `${'v'.repeat(2_000)}2` }, 'identity'), undefined)
  const [key] = await redis.keys(`{${name.site}:2}p:*`)
  t.ok(key!.length < 120)
})

t.test('Redis pages: a corrupt value counts as absent', { skip: skipShared }, async (t) => {
  const { redis, store } = await openStore(t, SHARED_URL)
  const name = makeName()
  await store.insert(name, PAGE)
  const key = `{${name.site}:2}p:${name.version}:identity:sort=newest`
  const frame = (await redis.getBuffer(key))!
  const longer = Buffer.concat([frame, Buffer.from('x')])
  const headed = (head: string) => {
    const lengths = Buffer.alloc(8)
    frame.copy(lengths, 0, 0, 2)
    lengths.writeUInt16BE(head.length, 2)
    return Buffer.concat([lengths, Buffer.from(head)])
  }
  const heads = [
    'not json',
    'null',
    '1',
    '{}',
    '[]',
    '["e"]',
    '["\\"e\\"",null]',
    '["\\r\\nX: y",null,"br"]',
    '["\\"e\\"",1,"br"]',
    '["\\"e\\"",null,"deflate"]',
    '["\\"e\\"",null,["br"]]',
  ]
  const corrupt = [
    ...heads.map(headed),
    Buffer.alloc(0),
    Buffer.from('garbage, plainly'),
    frame.subarray(0, -1),
    longer,
  ]
  for (const value of corrupt) {
    await redis.set(key, value)
    t.equal(await store.find(name, 'identity'), undefined)
  }
})

t.test(
  'Redis pages: a frozen, killed or restarted Redis is a miss, not an error',
  { skip: skipOwn },
  async (t) => {
    const server = await startServer(t)
    const { redis } = await openRedis(t, server.url)
    const store = createRedisPages(redis, createRedisBreaker({ pauseMs: 20 }))
    const name = makeName()
    server.freeze()
    await store.insert(name, PAGE)
    t.equal(await store.find(name, 'identity'), undefined)
    await server.kill()
    t.equal(await store.find(name, 'identity'), undefined)
    await server.start()
    const found = await until('a page after the restart', async () => {
      await store.insert(name, PAGE)
      return store.find(name, 'identity')
    })
    t.same(found, PAGE)
  },
)
