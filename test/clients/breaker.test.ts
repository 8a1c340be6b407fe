import t from 'tap'
import { createBreaker } from '../../src/clients/breaker.ts'

const fail = () => Promise.reject(new Error('a failure'))
const succeed = async () => 'an answer'

t.test('failures in a row open it, and a success between them does not count', async (t) => {
  const breaker = createBreaker({ failures: 2, pauseMs: 3_600_000 })
  await t.rejects(breaker('a', fail), /a failure/)
  t.equal(await breaker('a', succeed), 'an answer')
  await t.rejects(breaker('a', fail), /a failure/)
  await t.rejects(breaker('a', fail), /a failure/)
  await t.rejects(breaker('a', succeed), /too often/)
  t.equal(await breaker('b', succeed), 'an answer', 'each has its own')
})

t.test(
  'after the pause one tries while the others are sent away, and its success closes it',
  async (t) => {
    const breaker = createBreaker({ failures: 1, pauseMs: 3_600_000 })
    await t.rejects(breaker('a', fail), /a failure/)
    const now = performance.now()
    t.intercept(performance, 'now', { value: () => now + 3_600_000 })
    const { promise, resolve } = Promise.withResolvers<string>()
    const trying = breaker('a', () => promise)
    await t.rejects(breaker('a', succeed), /too often/)
    resolve('it is back')
    t.equal(await trying, 'it is back')
    t.equal(await breaker('a', succeed), 'an answer')
  },
)

t.test('an attempt that fails after the pause begins another one', async (t) => {
  const breaker = createBreaker({ failures: 3, pauseMs: 3_600_000 })
  for (let n = 0; n < 3; n++) await t.rejects(breaker('a', fail), /a failure/)
  const now = performance.now()
  t.intercept(performance, 'now', { value: () => now + 3_600_000 })
  await t.rejects(breaker('a', fail), /a failure/)
  await t.rejects(breaker('a', succeed), /too often/)
})
