import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { createEmptyDatabase } from '../servers.ts'
import { openService } from '../service.ts'
import { runScript } from './run-script.ts'

const backUp = (url: string, file: string) => runScript('backup.ts', [file], { DATABASE_URL: url })
const restore = (url: string, file: string) =>
  runScript('restore.ts', [file], { DATABASE_URL: url })

const openBackup = async (t: Test) => {
  const service = await openService(t)
  await service.post('a', 'a text')
  const file = join(t.testdir(), 'afterword.backup')
  return { service, file, run: await backUp(service.url, file) }
}

t.test('npm run backup writes a file for its owner, which npm run restore stores', async (t) => {
  const { service, file, run } = await openBackup(t)
  t.match(run, { code: 0, out: '', err: `${file} has the whole database, in ` })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(readdirSync(dirname(file)), ['afterword.backup'])
  const target = await createEmptyDatabase(t)
  t.match(await restore(target, file), { code: 0, err: /Restored \d+ rows, as they were at 20/ })
  t.match(await restore(service.url, file), { code: 1, err: 'The database is not empty' })
})

t.test('npm run restore refuses a file that is cut, changed or no backup', async (t) => {
  const { file } = await openBackup(t)
  const packed = readFileSync(file)
  const middle = Math.floor(packed.length / 2)
  const changed = Buffer.from(packed)
  changed[middle]! ^= 1
  // Nothing listens there: the file is refused first.
  const url = 'postgres://localhost:1/none'
  for (const bytes of [packed.subarray(0, -1), changed, Buffer.from('x')]) {
    writeFileSync(file, bytes)
    const { code, err } = await restore(url, file)
    t.equal(code, 1)
    t.match(err, /^(Verifying.*\n)*The file [^\n]+\.\n$/)
  }
})

t.test('a failed backup leaves no file, and keeps the one before', async (t) => {
  const { file } = await openBackup(t)
  const before = readFileSync(file)
  t.match(await backUp('postgres://localhost:1/none', file), { code: 1, err: /ECONNREFUSED/ })
  t.same(readFileSync(file), before)
  t.same(readdirSync(dirname(file)), ['afterword.backup'])
})

t.test('backup and restore say how they are used', async (t) => {
  t.match(await runScript('backup.ts', [], {}), { code: 1, err: /^npm run backup -- FILE\n/ })
  t.match(await runScript('restore.ts', [], {}), { code: 1, err: /^npm run restore -- FILE\n/ })
})
