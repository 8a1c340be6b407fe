import t from 'tap'
import { atLeast } from '../../bench/figures.ts'
import { readRate } from '../../bench/sql/pgbench.ts'
import { toJson, toMarkdown } from '../../bench/table.ts'

const LINE = { row: 'a page', against: 'a | b', goal: atLeast(0.85) }
const FIGURE = { value: 0.9, low: 0.8, high: 1, command: 'run', note: 'two\nlines' }

t.test('the table says which goals hold, and every cell is one line', async (t) => {
  const text = toMarkdown([{ line: LINE, figure: FIGURE }])
  t.match(text, '| a page | a \\| b | 0.9 | 0.8–1 | >= 0.85 | yes |\n')
  t.match(text, '| a page | `run` | two lines |')
})

t.test('the JSON report has a verdict for each row', async (t) => {
  const { goal: _, ...noGoal } = LINE
  const measured = [
    { line: LINE, figure: FIGURE },
    { line: LINE, figure: { ...FIGURE, value: 0.5 } },
    { line: LINE, figure: { ...FIGURE, holds: false as const } },
    { line: LINE, figure: { ...FIGURE, value: null } },
    { line: LINE, figure: { ...FIGURE, value: null, holds: null } },
    { line: noGoal, figure: FIGURE },
  ]
  const verdicts = toJson(measured)
  t.same(verdicts[0], { row: 'a page', value: 0.9, goal: '>= 0.85', holds: true })
  t.same(
    verdicts.map(({ holds }) => holds),
    [true, false, false, false, null, null],
  )
})

t.test('the rate of pgbench is refused when a transaction failed', async (t) => {
  const printed =
    'number of failed transactions: 0 (0.000%)\ntps = 123.5 (without initial connection time)\n'
  t.equal(readRate(printed), 123.5)
  t.throws(() => readRate(printed.replace(': 0', ': 3')))
  t.throws(() => readRate(''))
})
