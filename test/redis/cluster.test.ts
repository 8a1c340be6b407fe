import t from 'tap'
import type { Counters } from '../../src/domain/counters.ts'
import type { Page } from '../../src/domain/page-store.ts'
import { createRedisBreaker } from '../../src/redis/breaker.ts'
import { isCluster } from '../../src/redis/client.ts'
import { createRedisCounters } from '../../src/redis/counters.ts'
import { createRedisPages } from '../../src/redis/pages.ts'
import {
  createMove,
  findThreads,
  type Node,
  openPatientCluster,
  slotOf,
  startCluster,
} from './own-cluster.ts'
import { openRedis, skipOwn, until, untilSaid } from './own-server.ts'

const HOUR_MS = 3_600_000

const PAGE: Page = { etag: '"1"', next: null, encoding: 'gzip', bytes: Buffer.from([0, 0xff, 10]) }
const nameOf = (site: number, thread: number) => ({ site, thread, version: 1, variant: 'v' })
const keyOf = (site: number, thread: number): string => `{${site}:${thread}}k`
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

const noFallback: Counters = { hit: async () => ({ current: 0, ttlMs: 0 }) }

t.test('a cluster of three masters', { skip: skipOwn }, async (t) => {
  const { url, nodes } = await startCluster(t)

  t.test('a cluster: pages that one client stores in one tick are found by another', async (t) => {
    const threads = upTo(90)
    const [one, other] = await Promise.all(
      [1, 2].map(async () => {
        const { redis } = await openRedis(t, url)
        return createRedisPages(redis, createRedisBreaker({ pauseMs: 0 }))
      }),
    )
    const found = await until('all pages', async () => {
      await Promise.all(threads.map((thread) => one!.insert(nameOf(1, thread), PAGE)))
      const pages = await Promise.all(threads.map((n) => other!.find(nameOf(1, n), 'gzip')))
      return pages.includes(undefined) ? undefined : pages
    })
    t.same(
      found,
      threads.map(() => PAGE),
    )
    const sizes = await Promise.all(nodes.map(({ admin }) => admin.dbsize()))
    t.ok(Math.min(...sizes) > 0, 'and every master has some')
  })

  t.test('a cluster: values of many threads are written and read in one tick each', async (t) => {
    const { redis } = await openRedis(t, url)
    const threads = upTo(90)
    const values = await untilSaid('all values', async () => {
      await Promise.all(threads.map((thread) => redis.set(keyOf(2, thread), thread)))
      return Promise.all(threads.map((thread) => redis.get(keyOf(2, thread))))
    })
    t.same(values, threads.map(String))
  })

  t.test('a cluster counts all concurrent hits of two clients, whatever the node', async (t) => {
    const clients = await Promise.all([1, 2].map(() => openPatientCluster(t, nodes)))
    const counters = clients.map((client) =>
      createRedisCounters(client, noFallback, createRedisBreaker({ pauseMs: 0 })),
    )
    for (const key of ['write:a', 'write:b', 'write:c', 'write:d']) {
      let sent = 0
      // On a slow machine all responses can be late: then the fallback counts, although Redis has counted too.
      const counts = await until('counts of Redis', async () => {
        const hits = upTo(300).map((i) => counters[i % 2]!.hit(key, HOUR_MS))
        sent += hits.length
        const inTime = (await Promise.all(hits)).flatMap(({ current }) => current || [])
        return inTime.length > 0 ? inTime : undefined
      })
      t.equal(new Set(counts).size, counts.length, 'each hit has a number of its own')
      const all = await until('all hits', async () => {
        const counted = Number(await clients[0]!.get(`afterword:limit:{${key}}`))
        return counted >= sent ? counted : undefined
      })
      t.equal(all, sent)
    }
  })

  t.test('a slot of a cluster that moves while in use never gives an old value', async (t) => {
    const [thread] = await findThreads(nodes, 3)
    const key = keyOf(3, thread)
    const writer = await openPatientCluster(t, nodes)
    const { redis, troubles } = await openRedis(t, url)
    let written = 0
    const check = async () => {
      await writer.set(key, ++written)
      t.equal(await untilSaid('an answer', () => redis.get(key)), `${written}`)
    }
    /** @returns whether trouble was told before the first answer was */
    const isTold = async () => {
      const before = troubles.count
      await check()
      return troubles.count > before
    }
    const slot = await slotOf(nodes[0]!, `3:${thread}`)
    const [from, to] = nodes as [Node, Node]
    t.notOk(await isTold())
    for (const move of [createMove(slot, { from, to }), createMove(slot, { from: to, to: from })]) {
      await move.begin()
      await check()
      await move.moveKeys()
      t.ok(await isTold(), 'an answer from the node that the slot moves to')
      await move.end()
      t.ok(await isTold(), 'an answer from its new master')
      await check()
    }
  })

  t.test('a moved slot of a cluster is reported without a command to it', async (t) => {
    const { redis, troubles } = await openRedis(t, url)
    const [thread] = await findThreads(nodes, 4)
    const [from, to] = nodes as [Node, Node]
    const slot = await slotOf(nodes[0]!, `4:${thread}`)
    await createMove(slot, { from, to }).end()
    const before = troubles.count
    await until('trouble', async () => {
      if (isCluster(redis)) redis.refreshSlotsCache()
      return troubles.count > before || undefined
    })
    await createMove(slot, { from: to, to: from }).end()
  })
})
