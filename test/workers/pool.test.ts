import t, { type Test } from 'tap'
import { createWorkerPool } from '../../src/workers/pool.ts'
import { until } from '../start.ts'

const SCRIPT = new URL('./odd-worker.ts', import.meta.url)

const open = (t: Test, settings: Parameters<typeof createWorkerPool>[1] = {}) => {
  const pool = createWorkerPool(SCRIPT, settings)
  t.teardown(pool.close)
  return pool
}

t.test('a worker thread that ends fails its task only', async (t) => {
  const pool = open(t)
  const [failed, next] = await Promise.allSettled([pool.run('exit'), pool.run('next')])
  t.match(failed, { status: 'rejected', reason: { code: 'unavailable' } })
  t.match(next, { status: 'fulfilled', value: 'next' })
})

t.test('a task that takes too long fails alone', async (t) => {
  const pool = open(t, { deadlineMs: 2_000 })
  const [failed, next] = await Promise.allSettled([pool.run('run for ever'), pool.run('next')])
  t.match(failed, { status: 'rejected', reason: { code: 'unavailable' } })
  t.match(next, { status: 'fulfilled', value: 'next' })
})

t.test('an error of a task is thrown to its caller, and the thread goes on', async (t) => {
  const pool = open(t)
  await t.rejects(pool.run('throw'), { name: 'RangeError', message: 'thrown' })
  t.equal(await pool.run('next'), 'next')
})

t.test('tasks beyond the limit are refused', async (t) => {
  const pool = open(t)
  const all = await Promise.allSettled(Array.from({ length: 110 }, (_, n) => pool.run(n)))
  const refused = all.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 9, 'one runs and a hundred wait')
  t.match(refused[0], { reason: { code: 'unavailable' } })
})

t.test('an idle worker thread ends, and the next task starts another', async (t) => {
  const pool = open(t, { idleMs: 1 })
  t.equal(await pool.run(1), 1)
  await until('the thread ends', () => !pool.isRunning())
  t.equal(await pool.run(2), 2)
})

t.test('close ends a running task and those that wait', async (t) => {
  const pool = open(t)
  const all = Promise.allSettled([pool.run('run for ever'), pool.run('next')])
  await pool.close()
  for (const one of await all) t.match(one, { status: 'rejected', reason: { code: 'unavailable' } })
})
