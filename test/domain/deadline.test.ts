import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { withDeadline } from '../../src/domain/deadline.ts'

const late = () => new Error('late')

t.test('withDeadline settles as the promise does if that is in time', async (t) => {
  t.equal(await withDeadline(1_000, Promise.resolve('a'), late), 'a')
  await t.rejects(withDeadline(1_000, Promise.reject(new Error('b')), late), /b/)
})

t.test('withDeadline rejects when the time is over', async (t) => {
  await t.rejects(withDeadline(1, sleep(60_000, 'a', { ref: false }), late), /late/)
})

t.test('withDeadline accepts a result that arrived while the process was busy', async (t) => {
  const result = withDeadline(1, new Promise((resolve) => setImmediate(resolve, 'a')), late)
  const end = performance.now() + 20
  while (performance.now() < end);
  t.equal(await result, 'a')
})
