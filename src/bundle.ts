import { hash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'

/** The service and its packages in one file, with the code that V8 compiled from it. */
export type Bundle = { readonly folder: string; readonly file: string }

/**
 * Finds or writes the bundle of the source in `root`. Loading one file instead of two thousand halves the
 * start. The name of its folder is the hash of everything that the bundle is made of, so that a bundle
 * never differs from the source. Undefined if esbuild is not installed or cannot write.
 */
export const openBundle = async (root: string): Promise<Bundle | undefined> => {
  const bundles = join(root, BUNDLES)
  const folder = join(bundles, hashSource(root))
  const bundle = { folder, file: join(folder, 'run.mjs') }
  if (existsSync(bundle.file)) return bundle
  return writeBundle(root, bundle).then(
    () => bundle,
    () => undefined,
  )
}

/** The folder of bundles, and of code that V8 compiled. */
export const BUNDLES = 'node_modules/.cache/afterword'

/** The lock file names every package with its version. A bundle contains paths below its root. */
const hashSource = (root: string): string => {
  const parts = [root]
  const add = (file: string) => parts.push(file, readFileSync(join(root, file), 'utf8'))
  const addFolder = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) addFolder(path)
      else add(path)
    }
  }
  add('package.json')
  add('package-lock.json')
  addFolder('src')
  return hash('sha256', parts.join('\0'), 'base64url')
}

/** Writes a temporary folder and renames it, so that a kill leaves no incomplete bundle. */
const writeBundle = async (root: string, { folder, file }: Bundle): Promise<void> => {
  const { build } = await import('esbuild')
  const draft = `${folder}.draft-${process.pid}`
  try {
    await build({
      absWorkingDir: root,
      entryPoints: ['src/run.ts'],
      outfile: join(draft, 'run.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      minifyWhitespace: true,
      minifySyntax: true,
      sourcemap: 'external',
      sourcesContent: false,
      preserveSymlinks: true,
      banner: { js: COMMONJS },
      plugins: [KEEP_PATHS],
      logLevel: 'silent',
    })
    if (!existsSync(file)) renameSync(draft, folder)
    deleteOld(dirname(folder), folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** CommonJS packages expect these names. */
const COMMONJS = `
import { createRequire as createBundleRequire } from 'node:module'
const require = createBundleRequire(import.meta.url)
const __dirname = import.meta.dirname
const __filename = import.meta.filename`

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
      return { contents, loader: 'ts' }
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
  const places = new RegExp(`file:[^\\s()]*/${basename(folder)}/run\\.mjs:(\\d+):(\\d+)`, 'g')
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

// `npm ci` writes the bundle and loads it once, so that the first start finds it compiled.
if (import.meta.main) {
  const bundle = await openBundle(dirname(import.meta.dirname))
  if (bundle) await import(bundle.file)
}
