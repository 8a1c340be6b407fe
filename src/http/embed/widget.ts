import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { BuildOptions, Plugin } from 'esbuild'

type Esbuild = typeof import('esbuild')

const ROOT = join(import.meta.dirname, '../../..')
const SOURCE = join(ROOT, 'web/embed')
/** The folder that `npm run build` writes and the container image contains. */
export const DIST = join(ROOT, 'web/dist')

/** The scripts: browsers load the thread and the lists when a tag comes near the screen, the others at the first act. */
const SCRIPTS = {
  thread: 'thread/thread.tsx',
  lists: 'lists.ts',
  count: 'count.ts',
  editor: 'editor.tsx',
  dialogs: 'dialogs.tsx',
} as const
/** These run on what the script of the thread has loaded. */
const LATER = ['editor', 'dialogs'] as const
const AT_FIRST = ['thread', 'lists', 'count'] as const

/** A file of the widget, as browsers get it. */
export type Asset = {
  readonly type: string
  readonly etag: string
  readonly identity: Buffer
  readonly br: Buffer
  readonly gzip: Buffer
}

export type Manifest = {
  /** A hash of the source and of the tools: another one means that the files are stale. */
  readonly source: string
  /** The file of each script; a loader that misses one finds the newer names here. */
  readonly scripts: Readonly<Record<string, string>>
  /** The hash of all languages together, for addresses that never change. */
  readonly messages: string
  readonly languages: readonly string[]
  /** The value of `integrity` for each script. */
  readonly integrity: Readonly<Record<string, string>>
}

/** All files of the widget by their path below `/embed/`; the loader is `embed.js` too. */
export type Widget = { readonly manifest: Manifest; readonly files: ReadonlyMap<string, string> }

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8',
  json: 'application/json; charset=utf-8',
  css: 'text/css; charset=utf-8',
}

const hashOf = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').replaceAll(/[-_]/g, '').slice(0, 8)

const listSources = (): string[] =>
  globSync('**/*.{ts,tsx,css}', { cwd: SOURCE, exclude: ['dist'] }).sort()

/** Names the state of the source: the built files fit while it stays the same. */
const sourceHash = (): string => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const texts = listSources().map((path) => [path, readFileSync(join(SOURCE, path), 'utf8')])
  return hashOf(JSON.stringify([dependencies.esbuild, dependencies.preact, texts, readTexts()]))
}

/** The files that browsers get as they are: messages and themes. */
const readTexts = (): [string, string][] =>
  globSync(['messages/*.json', 'themes/*.css'], { cwd: SOURCE })
    .sort()
    .map((path) => [path, readFileSync(join(SOURCE, path), 'utf8')])

/** The sentences of a language by their keys. */
export type Messages = Readonly<Record<string, string>>

/** The sentences of every language, for the pages that need no script. A container has only the built files. */
export const readMessages = (): ReadonlyMap<string, Messages> => {
  const cwd = existsSync(SOURCE) ? SOURCE : DIST
  return new Map(
    globSync('messages/*.json', { cwd }).map((path) => [
      basename(path, '.json'),
      JSON.parse(readFileSync(join(cwd, path), 'utf8')) as Messages,
    ]),
  )
}

/** Builds the widget, or reads what `npm run build` made of the same source. */
export const openWidget = async (dist = DIST): Promise<Widget> =>
  (await readBuilt(dist).catch(() => undefined)) ?? (await buildWidget())

/** Undefined or an error if the folder is incomplete, of another source, or not there. */
const readBuilt = async (dist: string): Promise<Widget | undefined> => {
  const path = join(dist, 'manifest.json')
  if (!existsSync(path)) return undefined
  const manifest = JSON.parse(await readFile(path, 'utf8')) as Manifest
  if (existsSync(SOURCE) && manifest.source !== sourceHash()) return undefined
  const paths = globSync('**/*.{js,json,css}', { cwd: dist })
  const texts = await Promise.all(paths.map((path) => readFile(join(dist, path), 'utf8')))
  const files = new Map(paths.map((path, n) => [path, texts[n]!]))
  const isWhole = Object.entries(manifest.integrity).every(
    ([name, integrity]) => integrityOf(files.get(name) ?? '') === integrity,
  )
  return isWhole ? { manifest, files } : undefined
}

/** esbuild is a process of its own, so that a running service goes on answering. */
export const buildWidget = async (): Promise<Widget> => {
  const esbuild = await findEsbuild()
  const texts = readTexts()
  const messages = texts.filter(([path]) => path.startsWith('messages/'))
  /** @returns the name of the file with the hash of its content, and the script */
  const build = async (
    entry: string,
    more: BuildOptions = {},
  ): Promise<readonly [name: string, text: string]> => {
    const plugins = [minifyStyles(esbuild.transform), leaveEnglishOut, ...(more.plugins ?? [])]
    const options = { ...OPTIONS, ...more, plugins, entryPoints: [entry], metafile: true }
    const { outputFiles, metafile } = await esbuild.build(options)
    const english = JSON.stringify(findEnglish(Object.keys(metafile!.inputs)))
    const text = outputFiles![0]!.text.replace(ENGLISH, () => english)
    return [`${basename(entry).split('.')[0]}-${hashOf(text)}.js`, text]
  }
  try {
    const first = await Promise.all(AT_FIRST.map((name) => build(SCRIPTS[name])))
    const plugins = [takeShared(first[0]![0])]
    const later = await Promise.all(LATER.map((name) => build(SCRIPTS[name], { plugins })))
    const built = [...first, ...later]
    const scripts = Object.fromEntries(
      [...AT_FIRST, ...LATER].map((name, n) => [name, built[n]![0]]),
    )
    const shared = {
      scripts,
      messages: hashOf(JSON.stringify(messages)),
      languages: messages.map(([path]) => basename(path, '.json')),
    }
    const define = {
      SCRIPTS: JSON.stringify(
        Object.fromEntries(
          Object.entries(scripts).map(([name, file]) => [name, file.slice(-11, -3)]),
        ),
      ),
      LANGUAGES: JSON.stringify(shared.languages.filter((lang) => lang !== 'en').join(' ')),
      MESSAGES: JSON.stringify(shared.messages),
    }
    const [name, loader] = await build('loader.ts', { define })
    const all = [...built, [name.replace('loader', 'embed'), loader] as const]
    const integrity = Object.fromEntries(all.map(([name, text]) => [name, integrityOf(text)]))
    const manifest = { source: sourceHash(), ...shared, integrity }
    const files = [
      ...all,
      ...texts,
      ['embed.js', loader] as const,
      ['manifest.json', JSON.stringify(manifest)] as const,
    ]
    return { manifest, files: new Map(files) }
  } finally {
    await esbuild.stop()
  }
}

/** Writes the scripts of an npm package, whose importer can bundle them once more. */
export const buildPackage = async (
  name: 'embed' | 'client',
  entry: string,
  outdir = 'dist',
): Promise<void> => {
  const esbuild = await findEsbuild()
  try {
    await esbuild.build({
      ...OPTIONS,
      write: true,
      splitting: true,
      outdir,
      absWorkingDir: join(ROOT, 'web', name),
      entryPoints: [entry],
      plugins: [minifyStyles(esbuild.transform)],
    })
  } finally {
    await esbuild.stop()
  }
}

/** Not a literal: the bundle of the service must not contain esbuild, which looks for its program beside itself. */
const ESBUILD: string = 'esbuild'
const findEsbuild = (): Promise<Esbuild> => import(ESBUILD)

const OPTIONS: BuildOptions = {
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  absWorkingDir: SOURCE,
  legalComments: 'none',
  charset: 'utf8',
}

const minifyStyles = (transform: Esbuild['transform']): Plugin => ({
  name: 'styles as minified text',
  setup: (build) =>
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), {
        loader: 'css',
        minify: true,
      })
      return { contents: code.trim(), loader: 'text' }
    }),
})

const ENGLISH = 'ENGLISH_SENTENCES'

const leaveEnglishOut: Plugin = {
  name: 'english sentences',
  setup: (build) =>
    build.onLoad({ filter: /\ben\.json$/ }, () => ({ contents: `export default ${ENGLISH}` })),
}

/** The English sentences that these sources name: `t('more')` names `more.one` and `more.other` too. */
const findEnglish = (inputs: readonly string[]): Record<string, string> => {
  const sources = inputs.filter((path) => /\.tsx?$/.test(path) && !path.includes('node_modules'))
  const text = sources.map((path) => readFileSync(join(SOURCE, path), 'utf8')).join('\n')
  const families = [...text.matchAll(/`([a-z_]+[._])\$\{/g)].map(([, family]) => family!)
  const english: Record<string, string> = JSON.parse(
    readFileSync(join(SOURCE, 'messages/en.json'), 'utf8'),
  )
  return Object.fromEntries(
    Object.entries(english).filter(
      ([key]) =>
        families.some((family) => key.startsWith(family)) ||
        text.includes(`'${key}'`) ||
        text.includes(`'${key.replace(/\.(one|other)$/, '')}'`),
    ),
  )
}

/** One copy of the library and of the thread's state: the later scripts import the thread's own file. */
const takeShared = (file: string): Plugin => ({
  name: 'shared',
  setup: (build) =>
    build.onResolve({ filter: /(^\.\/shared\.ts|^preact\/jsx-runtime)$/ }, () => ({
      path: `./${file}`,
      external: true,
    })),
})

const integrityOf = (text: string): string =>
  `sha384-${createHash('sha384').update(text).digest('base64')}`

const toBrotli = promisify(brotliCompress)
const toGzip = promisify(gzip)

/** Compresses a file as small as it gets, off the event loop. */
export const toAsset = async (path: string, text: string): Promise<Asset> => {
  const identity = Buffer.from(text)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11 }
  const [br, zipped] = await Promise.all([toBrotli(identity, { params }), toGzip(identity)])
  return {
    type: TYPES[path.split('.').at(-1)!]!,
    etag: `"${hashOf(text)}"`,
    identity,
    br,
    gzip: zipped,
  }
}
