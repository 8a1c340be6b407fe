import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const LOGGER = join(import.meta.dirname, '../src/logger.ts')

/** Runs code with a logger in a process of its own, which counts its writes. */
const run = (code: string) => {
  const program = `
    import fs from 'node:fs'
    const { writeSync } = fs
    let writes = 0
    fs.writeSync = (...args) => {
      writes += 1
      return writeSync(...args)
    }
    const { createLogger } = await import(${JSON.stringify(LOGGER)})
    const logger = createLogger('info')
    process.on('exit', () => console.error(writes))
    ${code}`
  const args = ['--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const lines = stdout.split('\n').filter(Boolean)
  return { numbers: lines.map((line) => JSON.parse(line).n), writes: Number(stderr) }
}

t.test('createLogger writes the lines of some milliseconds together, and in order', async (t) => {
  const code = `
    for (const n of [1, 2]) logger.info({ n }, 'a line')
    setImmediate(() => logger.info({ n: 3 }, 'a line of another turn'))
    setTimeout(() => logger.info({ n: 4 }, 'a late line'), 100)`
  t.same(run(code), { numbers: [1, 2, 3, 4], writes: 2 })
})

t.test('createLogger writes the lines of a turn that ends with the process', async (t) => {
  t.same(run(`logger.info({ n: 1 }, 'a line'); process.exit(1)`).numbers, [1])
})

t.test('createLogger writes many lines of one turn in several pieces', async (t) => {
  const { numbers, writes } = run(`
    for (let n = 0; n < 1000; n++) logger.info({ n }, 'x'.repeat(100))`)
  t.same(numbers, [...numbers.keys()])
  t.equal(numbers.length, 1000)
  t.ok(writes > 1 && writes < 20, `${writes} writes`)
})
