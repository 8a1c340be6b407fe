import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createBatcher, type Spacing } from '../../src/domain/batcher.ts'
import { createByHand, settle } from '../by-hand.ts'

type Question = { key: string; more?: number }

const openBatcher = (spacing?: Spacing) => {
  const batches = createByHand<readonly Question[], readonly string[]>()
  const sentAt: number[] = []
  const load = (questions: readonly Question[]) => {
    sentAt.push(performance.now())
    return batches.ask(questions)
  }
  const ask = createBatcher(load, ({ key }: Question) => key, spacing)
  /** The batch that goes out next: its keys, and how it ends. */
  const next = async () => {
    const { input, answer, fail } = await batches.next()
    const keys = input.map(({ key }) => key)
    return { keys, fail, answer: (prefix: string) => answer(keys.map((key) => prefix + key)) }
  }
  return { ask: (key: string, more = 0) => ask({ key, more }), next, batches, sentAt }
}

t.test(
  'createBatcher sends the questions of one turn together and returns each its own result',
  async (t) => {
    const { ask, next, batches } = openBatcher()
    const answers = Promise.all([ask('a'), Promise.resolve().then(() => ask('b')), ask('c')])
    const batch = await next()
    t.same(batch.keys.toSorted(), ['a', 'b', 'c'])
    batch.answer('1')
    t.same(await answers, ['1a', '1b', '1c'])
    await settle()
    t.equal(batches.calls.length, 1)
  },
)

t.test('createBatcher asks the same question once per batch', async (t) => {
  const { ask, next } = openBatcher()
  const answers = Promise.all([ask('a', 1), ask('b', 2), ask('a', 3)])
  const batch = await next()
  t.same(batch.keys, ['a', 'b'])
  batch.answer('1')
  t.same(await answers, ['1a', '1b', '1a'])
})

t.test('createBatcher: a question that comes during a batch waits for the next', async (t) => {
  const { ask, next, batches } = openBatcher()
  const first = ask('a')
  const underWay = await next()
  const late = [ask('a'), ask('b')]
  await settle()
  late.push(ask('c'))
  await settle()
  t.equal(batches.calls.length, 1, 'one at a time')
  underWay.answer('old ')
  t.equal(await first, 'old a')
  const withMovedComment = await next()
  t.same(withMovedComment.keys, ['a', 'b', 'c'], 'all that waited, together')
  withMovedComment.answer('new ')
  t.same(await Promise.all(late), ['new a', 'new b', 'new c'], 'also who asked the same')
})

t.test('createBatcher: a question right after a result is asked anew', async (t) => {
  const { ask, next } = openBatcher()
  const first = ask('a').then((answer) => [answer, ask('a')] as const)
  const batch = await next()
  batch.answer('old ')
  const [old, again] = await first
  t.equal(old, 'old a')
  const withMovedComment = await next()
  withMovedComment.answer('new ')
  t.equal(await again, 'new a')
})

t.test('createBatcher: a failed batch rejects its own questions and no others', async (t) => {
  const { ask, next } = openBatcher()
  const first = Promise.allSettled([ask('a'), ask('b')])
  const failing = await next()
  const late = ask('c')
  failing.fail(new Error('away'))
  t.match(await first, [{ reason: { message: 'away' } }, { reason: { message: 'away' } }])
  const withMovedComment = await next()
  t.same(withMovedComment.keys, ['c'])
  withMovedComment.answer('1')
  t.equal(await late, '1c')
  const afterwards = ask('a')
  const last = await next()
  last.answer('2')
  t.equal(await afterwards, '2a')
})

t.test('createBatcher: a load that throws synchronously is a failed batch', async (t) => {
  let isBroken = true
  const load = (questions: readonly string[]): Promise<readonly string[]> => {
    if (isBroken) throw new Error('at once')
    return Promise.resolve(questions)
  }
  const ask = createBatcher(load, (question: string) => question)
  await t.rejects(ask('a'), { message: 'at once' })
  isBroken = false
  t.equal(await ask('a'), 'a')
})

t.test(
  'createBatcher splits more than 1,000 questions into batches, one after the other',
  async (t) => {
    const { ask, next, batches } = openBatcher()
    const keys = Array.from({ length: 2_500 }, (_, n) => String(n))
    const answers = Promise.all(keys.map((key) => ask(key)))
    const asked: string[] = []
    for (const size of [1_000, 1_000, 500]) {
      const batch = await next()
      await settle()
      t.equal(batch.keys.length, size)
      t.equal(batches.calls.at(-1)?.input.length, size, 'the next one waits')
      asked.push(...batch.keys)
      batch.answer('=')
    }
    t.same(asked, keys)
    t.same(
      await answers,
      keys.map((key) => `=${key}`),
    )
  },
)

t.test(
  'createBatcher: a question that comes while many wait goes with them or after them',
  async (t) => {
    const { ask, next } = openBatcher()
    const keys = Array.from({ length: 1_001 }, (_, n) => String(n))
    const answers = Promise.all(keys.map((key) => ask(key)))
    const first = await next()
    const late = ask('late')
    first.answer('=')
    const second = await next()
    t.same(second.keys, ['1000', 'late'])
    second.answer('=')
    t.equal((await answers).at(-1), '=1000')
    t.equal(await late, '=late')
  },
)

const SPACING = { ms: 300, busyMs: 600, busyCalls: 3, enoughCalls: 4 }
/** A timer may be a little early. */
const EARLY_MS = 5
const HOUR_MS = 3_600_000

t.test(
  'createBatcher: with a spacing every batch but the first waits for more questions',
  async (t) => {
    const { ask, next, sentAt } = openBatcher(SPACING)
    const first = ask('a')
    const batch = await next()
    batch.answer('1')
    t.equal(await first, '1a')
    const late = [ask('b')]
    await settle()
    late.push(ask('c'))
    const withMovedComment = await next()
    t.ok(sentAt[1]! - sentAt[0]! >= SPACING.ms - EARLY_MS)
    t.same(withMovedComment.keys, ['b', 'c'])
    withMovedComment.answer('2')
    t.same(await Promise.all(late), ['2b', '2c'])
  },
)

t.test(
  'createBatcher: with a spacing one batch runs at a time, and a failed one ends',
  async (t) => {
    const { ask, next, batches } = openBatcher({ ...SPACING, ms: 1 })
    const first = ask('a')
    const failing = await next()
    const late = ask('a')
    await sleep(20)
    t.equal(batches.calls.length, 1)
    failing.fail(new Error('away'))
    await t.rejects(first, { message: 'away' })
    const withMovedComment = await next()
    withMovedComment.answer('1')
    t.equal(await late, '1a')
  },
)

t.test('createBatcher: with a spacing the batch after a large one waits longer', async (t) => {
  const { ask, next, sentAt } = openBatcher(SPACING)
  const many = [ask('a'), ask('a'), ask('a')]
  const batch = await next()
  batch.answer('1')
  t.same(await Promise.all(many), ['1a', '1a', '1a'])
  const late = ask('b')
  const after = await next()
  t.ok(sentAt[1]! - sentAt[0]! >= SPACING.busyMs - EARLY_MS)
  after.answer('2')
  t.equal(await late, '2b')
})

t.test('createBatcher: with a spacing enough waiting calls are sent immediately', async (t) => {
  const spacing = { ms: 1, busyMs: HOUR_MS, busyCalls: 5, enoughCalls: 4 }
  const { ask, next, batches } = openBatcher(spacing)
  const many = ['a', 'b', 'c', 'd', 'e'].map((key) => ask(key))
  const first = await next()
  first.answer('1')
  t.same(await Promise.all(many), ['1a', '1b', '1c', '1d', '1e'])
  const late = ['a', 'b', 'b'].map((key) => ask(key))
  await sleep(20)
  t.equal(batches.calls.length, 1, 'three calls wait')
  late.push(ask('a'))
  const second = await next()
  t.same(second.keys, ['a', 'b'])
  second.answer('2')
  t.same(await Promise.all(late), ['2a', '2b', '2b', '2a'])
})
