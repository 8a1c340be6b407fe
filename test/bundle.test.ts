import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Script } from 'node:vm'
import t, { type Test } from 'tap'
import { type Bundle, loadBundle, openBundle } from '../src/bundle.ts'
import { createDataDir, start } from './start.ts'

const ROOT = join(import.meta.dirname, '..')
/** `main.ts` and `bundle.ts`, which evaluates the bundle. */
const LOADED = 2
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

t.test('a start loads no module of the source, however many it has, but the bundle', async (t) => {
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
  import { loadBundle, mapStackTraces, openBundle } from './src/bundle.ts'
  const bundle = await openBundle(process.cwd())
  mapStackTraces(bundle)
  const { run } = loadBundle(bundle)
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

/** Writes a service that only says something. @param said an expression */
const writeService = (root: string, said: string): void =>
  writeFileSync(
    join(root, 'src/run.ts'),
    `export const said = ${said}\nexport const rehearse = async () => {}`,
  )

const saidBy = (bundle: Bundle | undefined): unknown =>
  (loadBundle(bundle!) as unknown as { said: unknown }).said

t.test('a changed source has another bundle, with the change', async (t) => {
  const root = await copySource(t)
  writeService(root, `'before'`)
  const before = await openBundle(root)
  t.same(await openBundle(root), before, 'the same source has the same bundle')
  writeService(root, `'after_'`)
  const after = await openBundle(root)
  t.not(after!.file, before!.file)
  t.equal(saidBy(after), 'after_')
  t.equal(saidBy(before), 'before', 'a process with the old source has its own')
})

t.test('the bundle is ASCII, and its characters mean what they mean in the source', async (t) => {
  const root = await copySource(t)
  writeService(root, `['ö😀', \`ö\${1}😀\`, /^[ö😀]$/u.test('😀'), /^ö😀$/.test('ö😀')]`)
  const bundle = await openBundle(root)
  t.same(saidBy(bundle), ['ö😀', 'ö1😀', true, true])
  t.match(readFileSync(bundle!.file, 'latin1'), /^[\0-\x7f]*$/)
})

t.test('the bundle imports what is named while it runs, without a warning', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  const root = await copySource(t)
  writeService(root, `import(['node', 'os'].join(':'))`)
  const { EOL } = (await saidBy(await openBundle(root))) as typeof import('node:os')
  t.equal(EOL, '\n')
  t.same(warnings, [])
})

t.test('V8 takes the compiled code, and a start without it also works', async (t) => {
  const root = await copySource(t)
  writeService(root, '1')
  const bundle = await openBundle(root)
  const compiled = `${bundle!.file}.compiled`
  const [code, cachedData] = [readFileSync(bundle!.file, 'latin1'), readFileSync(compiled)]
  t.equal(new Script(code, { cachedData }).cachedDataRejected, false)
  writeFileSync(compiled, 'of another V8')
  t.equal(saidBy(bundle), 1)
})

t.test('without a folder to write to, there is no bundle, and the service runs', async (t) => {
  const root = await copySource(t)
  rmSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(join(root, 'node_modules'), '')
  t.equal(await openBundle(root), undefined)
})
