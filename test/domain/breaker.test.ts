import t from 'tap'
import { createBreaker } from '../../src/domain/breaker.ts'

const HOUR_MS = 3_600_000
const clock = { now: 0 }
const now = () => clock.now

const fail = () => Promise.reject(new Error('a failure'))
const succeed = async () => 'an answer'

t.test('failures in a row open it, and a success between them does not count', async (t) => {
  const breaker = createBreaker({ failures: 2, pauseMs: HOUR_MS, now })
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
    const breaker = createBreaker({ failures: 1, pauseMs: HOUR_MS, now })
    await t.rejects(breaker('a', fail), /a failure/)
    clock.now += HOUR_MS
    const { promise, resolve } = Promise.withResolvers<string>()
    const trying = breaker('a', () => promise)
    await t.rejects(breaker('a', succeed), /too often/)
    resolve('it is back')
    t.equal(await trying, 'it is back')
    t.equal(await breaker('a', succeed), 'an answer')
  },
)

t.test('an attempt that fails after the pause begins another one', async (t) => {
  const breaker = createBreaker({ failures: 3, pauseMs: HOUR_MS, now })
  for (let n = 0; n < 3; n++) await t.rejects(breaker('a', fail), /a failure/)
  clock.now += HOUR_MS
  await t.rejects(breaker('a', fail), /a failure/)
  await t.rejects(breaker('a', succeed), /too often/)
})

t.test('a success that began before the pause does not end it', async (t) => {
  const breaker = createBreaker({ failures: 1, pauseMs: HOUR_MS, now })
  const { promise, resolve } = Promise.withResolvers<string>()
  const early = breaker('a', () => promise)
  await t.rejects(breaker('a', fail), /a failure/)
  resolve('late')
  t.equal(await early, 'late')
  await t.rejects(breaker('a', succeed), /too often/)
})

t.test(
  'an error that shows nothing about the target neither begins nor ends a pause',
  async (t) => {
    const judge = (error: unknown) => ((error as Error).message === 'away' ? 'unknown' : 'failed')
    const away = () => Promise.reject(new Error('away'))
    const breaker = createBreaker({ failures: 1, pauseMs: HOUR_MS, now, judge })
    await t.rejects(breaker('a', away), /away/)
    t.equal(await breaker('a', succeed), 'an answer')
    await t.rejects(breaker('a', fail), /a failure/)
    clock.now += HOUR_MS
    await t.rejects(breaker('a', away), /away/)
    t.equal(await breaker('a', succeed), 'an answer', 'the next attempt is a probe too')
  },
)

t.test('an error that is an answer ends the pause', async (t) => {
  const breaker = createBreaker({
    failures: 1,
    pauseMs: 0,
    now,
    judge: (error) => ((error as Error).message === 'refused' ? 'answered' : 'failed'),
  })
  await t.rejects(breaker('a', fail), /a failure/)
  await t.rejects(
    breaker('a', () => Promise.reject(new Error('refused'))),
    /refused/,
  )
  t.equal(await breaker('a', succeed), 'an answer')
})
