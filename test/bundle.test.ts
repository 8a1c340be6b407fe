import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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

/** A process in a copy of the source needs its packages. */
const linkPackages = (root: string): void => {
  for (const name of readdirSync(join(ROOT, 'node_modules')))
    if (!name.startsWith('.'))
      symlinkSync(join(ROOT, 'node_modules', name), join(root, 'node_modules', name))
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
  writeService(
    root,
    `['ö😀', \`ö\${1}😀\`, /^[ö😀]$/u.test('😀'), /^\\ö😀\\\\ö$/.test('ö😀\\\\ö')]`,
  )
  const bundle = await openBundle(root)
  t.same(saidBy(bundle), ['ö😀', 'ö1😀', true, true])
  t.match(readFileSync(bundle!.file, 'latin1'), /^[\0-\x7f]*$/)
})

const READER = `
  import { excerpt } from './domain/comment/excerpt.ts'
  import { renderMarkdown } from './domain/comment/markdown.ts'
  import { repairName, validateBody, validateName, validateUrl } from './domain/comment/text.ts'
  import { findLinks } from './domain/screening/links.ts'
  import { skeletonOf } from './domain/screening/name-skeleton.ts'
  import { contentOf, readRendering } from './domain/screening/rendering.ts'
  import { fingerprintOf } from './domain/screening/text-similarity.ts'
  export const said = (text) => {
    const html = renderMarkdown(text.toWellFormed())
    const content = contentOf(readRendering(text, html))
    return [
      html, excerpt(html, 20), repairName(text), validateBody(text), validateName(text), validateUrl(text),
      findLinks(text), skeletonOf(text), content, fingerprintOf(content),
    ]
  }
  export const rehearse = async () => {}`

const ODD = [
  '😀👩‍👩‍👧‍👦 **重要**：中文。**「引用」**测试 https://例え.jp/ö?q=😀',
  'Ziele: a\u0301\u0328\u0302, ﷽, Ａｄａ аԁа, \u202Eevil\u2066, \ufeff\u200b\u00ad',
  'lone \ud83d and \ude00 end \ud83d',
  '\u2028 \u2029 \0 \\ö \\u00f6 <b>ß</b> `ö` [ö](http://ö.example/"ü")',
]

t.test('the bundle reads odd texts as the source does', async (t) => {
  const root = await copySource(t)
  linkPackages(root)
  const run = join(root, 'src/run.ts')
  writeFileSync(run, READER)
  const bundled = saidBy(await openBundle(root)) as (text: string) => unknown
  const { said } = await import(run)
  const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
    .join('')
  const characters = [...new Set(source.match(/[^\0-\x7f]/gu))]
  for (const text of [
    ...ODD,
    ...characters.map((one) => `${one}a ${one}${one} http://${one}.example`),
  ])
    t.same(bundled(text), said(text), text)
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

t.test('a start says why there is no bundle', async (t) => {
  const root = await copySource(t)
  linkPackages(root)
  writeFileSync(
    join(root, 'src/run.ts'),
    `export const run = async () => console.log('ran')
    export const rehearse = async () => { throw new Error('forgot the text') }`,
  )
  const service = start(t, {}, [process.execPath, join(root, 'src/main.ts')])
  t.equal(await service.ended(), 0)
  t.match(service.out(), 'ran')
  t.match(service.err(), 'without a bundle: Error: forgot the text')
})

t.test('a start finds `main.ts` without its types after `npm ci`', async (t) => {
  const root = await copySource(t)
  linkPackages(root)
  writeFileSync(
    join(root, 'src/run.ts'),
    `export const run = async () => {}\nexport const rehearse = async () => {}`,
  )
  const folder = join(root, 'compiled')
  const run = async (...options: string[]) => {
    const command: [string, ...string[]] = [process.execPath, join(root, 'src/main.ts'), ...options]
    t.equal(await start(t, { NODE_COMPILE_CACHE: folder }, command).ended(), 0)
    return readdirSync(folder, { recursive: true }).length
  }
  const written = await run('--bundle')
  t.ok(written > 0)
  t.equal(await run(), written)
})
