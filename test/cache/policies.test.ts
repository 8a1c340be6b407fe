import t, { type Test } from 'tap'
import { createPolicyCache } from '../../src/cache/policies.ts'
import { DEFAULT_POLICY } from '../../src/domain/screening/default-policy.ts'
import { createPolicyTasks } from '../../src/workers/policy-tasks.ts'

/** A policy whose word list is long enough for a worker thread. */
const policyOf = (site: number, words = 20_000): string => {
  const spam = Array.from({ length: words }, (_, n) => `word${site}x${n}`)
  const { rules } = DEFAULT_POLICY
  return JSON.stringify({
    rules: { ...rules, words: { mode: 'enforce', pending: [], spam, rejected: [] } },
  })
}

/** A cache that counts what it loads and compiles. */
const open = (t: Test, maxBytes?: number) => {
  const tasks = createPolicyTasks()
  t.teardown(tasks.close)
  const counts = { loads: 0, compilations: 0 }
  const count = (json: string) => {
    counts.compilations++
    return tasks.prepare(json)
  }
  const cache = createPolicyCache({
    load: async ({ siteId, version }) => {
      counts.loads++
      return policyOf(siteId, version)
    },
    prepare: count,
    prepareDraft: count,
    ...(maxBytes && { maxBytes }),
  })
  const find = (id: number, words = 20_000) => cache.find({ id, policyVersion: words })
  return { cache, counts, find }
}

t.test('concurrent calls for one policy share one compilation and delay no other', async (t) => {
  const { counts, find } = open(t)
  const order: string[] = []
  const slow = Array.from({ length: 20 }, () =>
    find(1).then((found) => order.push('slow') && found),
  )
  const other = await find(2, 3)
  order.push('other')
  const found = await Promise.all(slow)
  t.same(new Set(found).size, 1)
  t.same(counts, { loads: 2, compilations: 2 })
  t.equal(order[0], 'other', 'a short policy does not wait for a long one')
  t.equal(other.version, 3)
})

t.test('the event loop runs while a policy of 20,000 words compiles', async (t) => {
  const { find } = open(t)
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await find(1)
  clearInterval(timer)
  t.ok(turns > 2, `${turns} turns`)
})

t.test('the cache of compiled policies is bounded by the memory that they take', async (t) => {
  const { policy } = await open(t).find(1)
  const { counts, find } = open(t, Math.floor(2.5 * policy.bytes))
  await find(1)
  await find(2)
  for (let site = 10; site < 15; site++) await find(site, 3)
  t.equal(counts.compilations, 7)
  await Promise.all([find(1), find(2), find(12, 3)])
  t.equal(counts.compilations, 7, 'small policies evict no large one')
  await find(3)
  await find(1)
  t.equal(counts.compilations, 9, 'a third large policy evicts the one used longest ago')
})

t.test('a draft is compiled once for all who try the same one', async (t) => {
  const { cache, counts } = open(t)
  const all = await Promise.all([1, 1, 1, 2].map((n) => cache.prepareDraft(policyOf(n))))
  t.equal(counts.compilations, 2)
  t.equal(await cache.prepareDraft(policyOf(1)), all[0])
  t.equal(counts.compilations, 2)
})
