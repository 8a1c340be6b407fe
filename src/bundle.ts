import { createHash } from 'node:crypto'
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire, SourceMap } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import type { Plugin } from 'esbuild'

/** The service and its packages in one file. Beside it is the code that V8 compiled from it. */
export type Bundle = { readonly folder: string; readonly file: string }

/**
 * Finds or writes the bundle of the source in `root`. Loading one file instead of two thousand halves the
 * start. The name of its folder is the hash of everything that the bundle is made of, so that a bundle
 * never differs from the source or belongs to another Node. Undefined if esbuild is not installed or
 * cannot write.
 */
export const openBundle = async (root: string): Promise<Bundle | undefined> => {
  const bundles = join(root, BUNDLES)
  const folder = join(bundles, hashSource(root))
  const bundle = { folder, file: join(folder, 'run.js') }
  if (existsSync(bundle.file)) return bundle
  return writeBundle(root, bundle).then(
    () => bundle,
    (error: unknown) => {
      // Another process may have written it meanwhile.
      if (existsSync(bundle.file)) return bundle
      process.stderr.write(`The service runs from its source, without a bundle: ${String(error)}\n`)
      return undefined
    },
  )
}

/** The folder of bundles, and of code that V8 compiled. */
export const BUNDLES = 'node_modules/.cache/afterword'

/** The lock file names every package with its version. A bundle contains paths below its root. */
const hashSource = (root: string): string => {
  const hash = createHash('sha256')
  const addParts = (...parts: string[]): void => {
    for (const part of parts) hash.update(part).update('\0')
  }
  const add = (file: string) => addParts(file, readFileSync(join(root, file), 'utf8'))
  const addFolder = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) addFolder(path)
      else add(path)
    }
  }
  addParts(root, process.version, process.arch)
  add('package.json')
  add('package-lock.json')
  addFolder('src')
  return hash.digest('base64url')
}

/** Writes a temporary folder and renames it, so that a kill leaves no incomplete bundle. */
const writeBundle = async (root: string, { folder, file }: Bundle): Promise<void> => {
  const { build } = await import('esbuild')
  const draft = `${folder}.draft-${process.pid}`
  const drafted = join(draft, 'run.js')
  try {
    await build({
      absWorkingDir: root,
      entryPoints: ['src/run.ts'],
      outfile: drafted,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node24',
      // A script imports by `require`.
      supported: { 'dynamic-import': false },
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: 'external',
      sourcesContent: false,
      preserveSymlinks: true,
      ...AS_FUNCTION,
      plugins: [KEEP_PATHS],
      logLevel: 'silent',
    })
    writeFileSync(drafted, toAscii(readFileSync(drafted, 'utf8')))
    await writeCompiled(drafted)
    if (!existsSync(file)) renameSync(draft, folder)
    deleteOld(dirname(folder), folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** The bundle is a function of the names that CommonJS packages expect. */
const AS_FUNCTION = {
  banner: { js: '(function (module, exports, require, __filename, __dirname) {' },
  footer: { js: '})' },
}

type Run = typeof import('./run.ts')

/** Evaluates a bundle. A script can tell the code that V8 compiled while it ran; a module cannot. */
const evaluate = (file: string, cachedData?: Buffer): { script: Script; exports: Run } => {
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: pathToFileURL(file).href,
    ...(cachedData && { cachedData }),
  })
  const module = { exports: {} as Run }
  const load: (...names: unknown[]) => void = script.runInThisContext()
  load(module, module.exports, createRequire(file), file, dirname(file))
  return { script, exports: module.exports }
}

const compiledOf = (file: string): string => `${file}.compiled`

/** Without this code a start takes a third more time, because V8 compiles each function when it is called first. */
const writeCompiled = async (file: string): Promise<void> => {
  const { script, exports } = evaluate(file)
  await exports.rehearse()
  writeFileSync(compiledOf(file), script.createCachedData())
}

/** Code that another V8 compiled is ignored. */
export const loadBundle = ({ file }: Bundle): Run =>
  evaluate(file, readFileSync(compiledOf(file))).exports

/**
 * A text of ASCII takes half the memory. esbuild writes strings as ASCII, but not regular expressions. Of an escaped
 * character, the backslash goes: before `\\u00f6` it would escape another backslash.
 */
const toAscii = (code: string): string =>
  code.replace(/\\[\0-\x7f]|\\?([^\0-\x7f])/g, (kept, unit?: string) =>
    unit ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : kept,
  )

/** Files of the service find migrations, binaries and worker scripts relative to themselves. */
const KEEP_PATHS: Plugin = {
  name: 'keep-paths',
  setup: (builder) => {
    const source = join(builder.initialOptions.absWorkingDir!, 'src')
    builder.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!path.startsWith(source)) return undefined
      const contents = readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
      return { contents: toAscii(contents), loader: 'ts' }
    })
  },
}

/** A process reads its bundle completely when it starts, so that an old one is only needed until then. */
const OLD_MS = 3_600_000

const deleteOld = (bundles: string, newest: string): void => {
  for (const name of readdirSync(bundles)) {
    const path = join(bundles, name)
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (path !== newest && age > OLD_MS) rmSync(path, { recursive: true, force: true })
  }
}

/** Makes stack traces name files and lines of the source. The map of 3 MB is read for the first of them. */
export const mapStackTraces = ({ folder, file }: Bundle): void => {
  const places = new RegExp(`file:[^\\s()]*/${basename(folder)}/run\\.js:(\\d+):(\\d+)`, 'g')
  let map: SourceMap | undefined
  const findPlace = (place: string, line: string, column: string): string => {
    map ??= new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')))
    const origin = map.findOrigin(Number(line), Number(column))
    if (!('fileName' in origin)) return place
    return `${join(folder, origin.fileName)}:${origin.lineNumber}:${origin.columnNumber}`
  }
  Error.prepareStackTrace = (error, calls: readonly unknown[]) =>
    [error, ...calls].map(String).join('\n    at ').replace(places, findPlace)
}
