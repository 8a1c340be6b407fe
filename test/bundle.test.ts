import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openBundle } from '../src/bundle.ts'
import { createDataDir, start } from './start.ts'

const ROOT = join(import.meta.dirname, '..')
/** The bundle, `main.ts` and `bundle.ts`. */
const LOADED = 3
/** A new package in the bundle makes every start longer. */
const MAX_BYTES = 5_800_000

/** Writes the paths of loaded modules to standard error when the process ends. */
const LIST_MODULES = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({
    load: (url, context, next) => {
      if (url.startsWith('file:')) loaded.push(url)
      return next(url, context)
    },
  })
  process.on('exit', () => process.stderr.write('loaded ' + loaded.join(' ')))`)}`

t.test('a start loads one file of code, however many files the source has', async (t) => {
  const bundle = await openBundle(ROOT)
  const command: [string, ...string[]] = [process.execPath, '--import', LIST_MODULES, 'src/main.ts']
  const service = start(t, { AFTERWORD_DATA: createDataDir(t) }, command)
  await service.ready()
  t.equal(await service.stop(), 0)
  const [, list = ''] = /loaded (.*)/.exec(service.err()) ?? []
  t.equal(list.split(' ').length, LOADED, list)
  const { length } = readFileSync(bundle!.file)
  t.ok(length < MAX_BYTES, `the bundle has ${length} bytes`)
})

const FAIL = `
  import { mapStackTraces, openBundle } from './src/bundle.ts'
  const bundle = await openBundle(process.cwd())
  mapStackTraces(bundle)
  const { run } = await import(bundle.file)
  await run({ PORT: 'none' }).catch(({ stack }) => console.log(stack))`

t.test('a stack trace names a line of the source', async (t) => {
  const failing = start(t, {}, [process.execPath, '--input-type=module', '--eval', FAIL])
  await failing.ended()
  const [, path = '', line] = /at readConfig \((.+):(\d+):\d+\)/.exec(failing.out()) ?? []
  t.equal(path, join(ROOT, 'src/config.ts'), failing.out())
  t.match(readFileSync(path, 'utf8').split('\n')[Number(line) - 1], /throw new Error/)
})

/** A copy of the source that has the same packages. */
const copySource = async (t: Test): Promise<string> => {
  const root = mkdtempSync(join(tmpdir(), 'afterword-bundle-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  for (const name of ['src', 'package.json', 'package-lock.json'])
    cpSync(join(ROOT, name), join(root, name), { recursive: true })
  await mkdir(join(root, 'node_modules'))
  return root
}

t.test('a changed source has another bundle, with the change', async (t) => {
  const root = await copySource(t)
  for (const name of ['fastify', 'pg'])
    symlinkSync(join(ROOT, 'node_modules', name), join(root, 'node_modules', name))
  const run = join(root, 'src/run.ts')
  writeFileSync(run, `export const said = 'before'`)
  const before = await openBundle(root)
  t.same(await openBundle(root), before, 'the same source has the same bundle')
  writeFileSync(run, `export const said = 'after_'`)
  const after = await openBundle(root)
  t.not(after!.file, before!.file)
  t.equal((await import(after!.file)).said, 'after_')
  t.equal((await import(before!.file)).said, 'before', 'a process with the old source has its own')
})

t.test('without a folder to write to, there is no bundle, and the service runs', async (t) => {
  const root = await copySource(t)
  rmSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(join(root, 'node_modules'), '')
  t.equal(await openBundle(root), undefined)
})
