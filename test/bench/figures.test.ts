import t from 'tap'
import {
  atLeast,
  atMost,
  isHeld,
  median,
  quantile,
  ratioOf,
  say,
  sayGoal,
  slopeOf,
  spreadOf,
} from '../../bench/figures.ts'

t.test('the median is the middle, or half-way between the two in the middle', async (t) => {
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([1, 2, 3, 10]), 2.5)
  t.equal(median([7]), 7)
  t.ok(Number.isNaN(median([])))
})

t.test('a quantile lies between its neighbours', async (t) => {
  const hundred = Array.from({ length: 101 }, (_, n) => n)
  t.equal(quantile(hundred, 0.99), 99)
  t.equal(quantile([0, 10], 0.25), 2.5)
  t.equal(quantile([3, 1, 2], 1), 3)
  t.equal(quantile([3, 1, 2], 0), 1)
})

t.test(
  'the ratio of two rows is the median over rounds, so one slow round counts once',
  async (t) => {
    const rounds = [
      [90, 100],
      [9, 10],
      [50, 100],
    ] as const
    t.same(ratioOf(rounds), { value: 0.9, low: 0.5, high: 0.9 })
    t.same(spreadOf([3, 1, 2]), { value: 2, low: 1, high: 3 })
  },
)

t.test('the slope of a line is what each unit of x adds', async (t) => {
  const line = [0, 1, 2, 3].map((x) => [x, 5 + 2 * x] as const)
  t.equal(slopeOf(line), 2)
})

t.test('a goal holds or fails; a goal without a measurement fails', async (t) => {
  t.equal(isHeld(0.85, atLeast(0.85)), true)
  t.equal(isHeld(0.84, atLeast(0.85)), false)
  t.equal(isHeld(1.2, atMost(1.2)), true)
  t.equal(isHeld(1.21, atMost(1.2)), false)
  t.equal(isHeld(null, atMost(1.2)), false)
  t.equal(isHeld(0.1, undefined), null)
  t.equal(sayGoal(atLeast(0.85)), '>= 0.85')
  t.equal(sayGoal(atMost(500)), '<= 500')
  t.equal(sayGoal(undefined), '')
})

t.test('figures are printed with three significant digits', async (t) => {
  t.same([0.12345, 1.5, 12.345, 123.45, 12345.6].map(say), ['0.123', '1.5', '12.3', '123', '12346'])
})
