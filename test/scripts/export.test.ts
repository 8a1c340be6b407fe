import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { openService } from '../service.ts'

const SCRIPT = join(import.meta.dirname, '../../scripts/export.ts')

const run = async (url: string, ...args: string[]) => {
  const env = { ...process.env, DATABASE_URL: url }
  const child = spawn(process.execPath, [SCRIPT, ...args], { env })
  const [[code], out, err] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, out, err }
}

t.test('npm run export writes a site to standard output or to a file', async (t) => {
  const service = await openService(t)
  await service.post('a', 'a text')
  const { code, out } = await run(service.url, '--site', 'default')
  t.equal(code, 0)
  t.match(out, /^\{"format":"afterword","version":1,"origin":"afterword:s/)
  t.match(out, '"body":"a text"')
  const file = join(t.testdir(), 'site.jsonl')
  t.match(await run(service.url, '--site', 'default', '--output', file), { code: 0, out: '' })
  t.equal(await readFile(file, 'utf8'), out)
})

t.test('npm run export says what is wrong with its arguments', async (t) => {
  const service = await openService(t)
  t.match(await run(service.url), { code: 1, err: '--site is missing' })
  t.match(await run(service.url, '--site', 'absent'), { code: 1, err: 'there is no site absent' })
})
