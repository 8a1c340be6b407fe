import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createLocalCounters } from '../../src/cache/counters.ts'

const HOUR_MS = 3_600_000

t.test('hits count up within a window, each key for itself', async (t) => {
  const counters = createLocalCounters()
  t.equal((await counters.hit('a', HOUR_MS)).current, 1)
  t.equal((await counters.hit('a', HOUR_MS)).current, 2)
  t.equal((await counters.hit('b', HOUR_MS)).current, 1)
})

t.test('a hit does not prolong its window', async (t) => {
  const counters = createLocalCounters()
  const first = await counters.hit('a', HOUR_MS)
  await sleep(5)
  const second = await counters.hit('a', HOUR_MS)
  t.ok(second.ttlMs < first.ttlMs && second.ttlMs > 0)
})

t.test('when a window has ended the count starts anew', async (t) => {
  const counters = createLocalCounters()
  await counters.hit('a', 5)
  await sleep(20)
  t.equal((await counters.hit('a', 5)).current, 1)
})

t.test('memory is bounded: the key longest without a hit is forgotten', async (t) => {
  const counters = createLocalCounters({ maxKeys: 2 })
  for (const key of ['a', 'b', 'a', 'c']) await counters.hit(key, HOUR_MS)
  t.equal((await counters.hit('a', HOUR_MS)).current, 3)
  t.equal((await counters.hit('b', HOUR_MS)).current, 1)
})
