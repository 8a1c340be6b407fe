import t from 'tap'
import { JSON_TEXTS, NAUGHTY_STRINGS } from '../fixtures/hostile.ts'
import { testHostileInput } from '../http/bad-input.ts'
import {
  hostileTexts,
  readJsonFiles,
  readMarkdown,
  readNaughty,
  readPayloads,
  skipWithoutFolder,
} from './hostile-input.ts'

/** All hostile input of the packages, and more where the folder beside this repository has it. */

testHostileInput({
  texts: hostileTexts(),
  naughty: skipWithoutFolder ? NAUGHTY_STRINGS : readNaughty(),
  json: [...JSON_TEXTS, ...(skipWithoutFolder ? [] : readJsonFiles())],
})

t.test(
  'hostile input that no package has is sent as well',
  { skip: skipWithoutFolder },
  async (t) => {
    t.ok(readNaughty().length > NAUGHTY_STRINGS.length)
    t.ok(readPayloads().length > 200)
    t.ok(readMarkdown().length > 100)
    t.ok(readJsonFiles().length > 300)
  },
)
