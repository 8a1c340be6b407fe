import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Reads the examples of CONTRIBUTING.md and follows them in a copy of the repository. */

const ROOT = join(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8')
const COPIED = [
  'src',
  'test',
  'scripts',
  'bench',
  'web',
  'migrations',
  'docs',
  '.gitignore',
  '.taprc',
]
const COPIED_FILES = ['package.json', 'tsconfig.json', 'biome.json', 'openapi.yaml']

/** Programs of `node_modules/.bin`. */
export const bin = (name: string): string => join(ROOT, 'node_modules/.bin', name)

export const copyRepository = (t: Test): string => {
  const copy = mkdtempSync(join(tmpdir(), 'afterword-contributing-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  for (const name of [...COPIED, ...COPIED_FILES])
    cpSync(join(ROOT, name), join(copy, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** A new file, or a change of an existing one. */
export type Step = { readonly path: string; readonly kind: 'ts' | 'diff'; readonly text: string }

export type Example = {
  /** The first step writes the test. */
  readonly test: Step
  readonly steps: readonly Step[]
  /** The test files that the example runs at its end. */
  readonly tests: readonly string[]
}

export const readExample = (heading: string): Example => {
  const section = sectionOf(heading)
  const [test, ...steps] = stepsOf(section)
  return { test: test!, steps, tests: testsOf(section) }
}

const sectionOf = (heading: string): string =>
  new RegExp(`^## ${heading}\n(.*?)(?=^## )`, 'ms').exec(PAGE)![1]!

/** The paragraph before a block ends with the path of the file and a colon. */
const stepsOf = (section: string): Step[] =>
  [...section.matchAll(/`([^`]+)`[^`]*:\n\n```(ts|diff)\n(.*?)^```$/gms)].map(
    ([, path, kind, text]) => ({ path: path!, kind: kind as Step['kind'], text: text! }),
  )

const TEST_COMMAND = /^npm test -- (.*)$/gm

/** The files that the commands of a section name. */
const testsOf = (section: string): string[] =>
  [...section.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) =>
    [...block!.matchAll(TEST_COMMAND)].flatMap(([, files]) => files!.split(' ')),
  )

/** The first command that runs some tests, as the page prints it. */
export const readTestCommand = (): string => TEST_COMMAND.exec(sectionOf('Run tests'))![0]

export const applyStep = (copy: string, { path, kind, text }: Step): void => {
  const file = join(copy, path)
  if (kind === 'ts' && existsSync(file)) throw new Error(`${path} exists already`)
  const made =
    kind === 'ts' ? text : text.split(/^@@\n/m).reduce(applyHunk, readFileSync(file, 'utf8'))
  writeFileSync(file, made)
}

/** Replaces the one place that has the lines of the hunk. */
const applyHunk = (source: string, hunk: string): string => {
  const before = linesOf(hunk, ' -')
  const parts = `\n${source}`.split(`\n${before}`)
  if (before === '' || parts.length !== 2)
    throw new Error(`${parts.length - 1} places have the lines:\n${before}`)
  return parts.join(`\n${linesOf(hunk, ' +')}`).slice(1)
}

const linesOf = (hunk: string, signs: string): string =>
  hunk
    .split('\n')
    .filter((line) => line !== '' && signs.includes(line[0]!))
    .map((line) => `${line.slice(1)}\n`)
    .join('')

type Ended = { readonly code: number; readonly output: string }

/** Runs a program without the loaders of tap, which do not fit every program. */
export const run = (
  copy: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> =>
  new Promise((resolve) => {
    const options = { cwd: copy, env, maxBuffer: 16_777_216 }
    const args = ['--unset=NODE_OPTIONS', ...command]
    execFile('env', args, options, (error, stdout, stderr) => {
      const code = error ? Number(error.code ?? 1) : 0
      resolve({ code, output: `${stdout}${stderr}` })
    })
  })

/** Fails with the output of the program when it does not end with 0. */
export const passes = (t: Test, { code, output }: Ended, title: string): void => {
  if (code !== 0) t.comment(output)
  t.equal(code, 0, title)
}
