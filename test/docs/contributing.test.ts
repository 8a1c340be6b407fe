import t from 'tap'
import { applyStep, copyRepository, passes, readExample, run } from './examples.ts'

t.test('the examples of CONTRIBUTING.md fit the source, and their tests pass', async (t) => {
  const copy = copyRepository(t)
  for (const heading of ['Add an operation', 'Add a rule']) {
    const { test, steps } = readExample(heading)
    t.ok(steps.length >= 5, `${heading}: the steps were found`)
    for (const step of [test, ...steps]) applyStep(copy, step)
    passes(t, await run(copy, [process.execPath, test.path]), `${test.path} passes`)
  }
})

t.test('a step of an example that no longer fits the source is an error', async (t) => {
  const copy = copyRepository(t)
  const path = 'src/domain/refusal.ts'
  const change = { path, kind: 'diff', text: ' no such line\n+new\n' } as const
  t.throws(() => applyStep(copy, change), /^0 places have the lines/)
  t.throws(() => applyStep(copy, { path, kind: 'ts', text: '' }), /exists already/)
})
