import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createLocalCounters } from '../../src/cache/counters.ts'

const HOUR_MS = 3_600_000

t.test('createLocalCounters counts the hits of each key within its window', async (t) => {
  const counters = createLocalCounters()
  t.equal((await counters.hit('a', HOUR_MS)).current, 1)
  t.equal((await counters.hit('a', HOUR_MS)).current, 2)
  t.equal((await counters.hit('b', HOUR_MS)).current, 1)
})

t.test('createLocalCounters: a hit does not prolong its window', async (t) => {
  const counters = createLocalCounters()
  const first = await counters.hit('a', HOUR_MS)
  await sleep(5)
  const second = await counters.hit('a', HOUR_MS)
  t.ok(second.ttlMs < first.ttlMs && second.ttlMs > 0)
})

t.test('createLocalCounters: the count starts anew when a window has ended', async (t) => {
  const counters = createLocalCounters()
  await counters.hit('a', 5)
  await sleep(20)
  t.equal((await counters.hit('a', 5)).current, 1)
})

t.test(
  'createLocalCounters drops the key that had no hit for longest when memory is full',
  async (t) => {
    const counters = createLocalCounters({ maxKeys: 2 })
    for (const key of ['a', 'b', 'a', 'c']) await counters.hit(key, HOUR_MS)
    t.equal((await counters.hit('a', HOUR_MS)).current, 3)
    t.equal((await counters.hit('b', HOUR_MS)).current, 1)
  },
)

t.test('a hit that is removed makes room for another one in the same window', async (t) => {
  const counters = createLocalCounters()
  t.match(await counters.hit('a', HOUR_MS), { current: 1 })
  t.match(await counters.hit('a', HOUR_MS, -1), { current: 0 })
  t.match(await counters.hit('a', HOUR_MS), { current: 1 })
})
