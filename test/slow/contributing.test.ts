import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  applyStep,
  bin,
  copyRepository,
  passes,
  readExample,
  readTestCommand,
  run,
} from '../docs/examples.ts'

for (const [heading, name] of [
  ['Add an operation', 'operationId: countStaff'],
  ['Add a rule', 'mentions:'],
] as const)
  t.test(`the example "${heading}" of CONTRIBUTING.md works step by step`, async (t) => {
    const copy = copyRepository(t)
    const { test, steps, tests } = readExample(heading)
    t.equal(tests[0], test.path, 'it runs its own test first')
    applyStep(copy, test)
    const before = await run(copy, [process.execPath, test.path])
    t.not(before.code, 0, 'its test fails before the other steps')
    t.match(before.output, /^ *not ok/m, 'because of an assertion')
    for (const step of steps) applyStep(copy, step)
    const files = [test, ...steps].map(({ path }) => path).filter((path) => path.endsWith('.ts'))
    const check = ['check', '--vcs-enabled=false', ...new Set(files)]
    passes(t, await run(copy, [bin('biome'), ...check]), 'the code is formatted and has no lint')
    passes(t, await run(copy, [process.execPath, 'scripts/openapi.ts']), 'openapi.yaml is written')
    t.ok(readFileSync(join(copy, 'openapi.yaml'), 'utf8').includes(name), `it has ${name}`)
    passes(t, await run(copy, [bin('tsc')]), 'the types are right')
    for (const file of tests) passes(t, await run(copy, [process.execPath, file]), `${file} passes`)
  })

t.test('the command of CONTRIBUTING.md that runs some tests runs them', async (t) => {
  const copy = copyRepository(t)
  const command = readTestCommand()
  const { PATH, HOME } = process.env
  const ended = await run(copy, ['sh', '-c', command], { PATH, HOME })
  passes(t, ended, command)
  for (const file of command.split(' ').slice(3))
    t.match(ended.output, new RegExp(`^ok \\d+ - ${file}`, 'm'))
})
