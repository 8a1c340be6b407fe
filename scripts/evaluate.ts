import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { DEFAULT_POLICY } from '../src/domain/screening/default-policy.ts'
import type { Policy } from '../src/domain/screening/policy.ts'
import { readCsv } from './evaluate/csv.ts'
import { judgeFile, type Labelled } from './evaluate/judge-file.ts'
import { scoreAll, toMarkdown } from './evaluate/score.ts'

/** `npm run evaluate`: measures how well the enforced default policy separates spam from other comments in labelled files. */

const USAGE = `npm run evaluate -- FILE.csv [FILE.csv …] [--words FILE]
The files have the columns content and class (1 is spam), and may have author. --words takes a list of
words instead of the shipped ones, one a line.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { words: { type: 'string' }, help: { type: 'boolean', default: false } },
})

/** Prints the result to standard output. */
const print = (text: string): void => void process.stdout.write(`${text}\n`)

const readLabelled = (file: string): Labelled[] =>
  readCsv(readFileSync(file, 'utf8')).map(({ content, author, class: label }, n) => {
    if (!content || !label) throw new Error(`${file}, record ${n + 2}: no content or no class`)
    return { body: content, author: author ?? '', isSpam: label.trim() === '1' }
  })

const enforced = (): Policy => {
  const rules = Object.entries(DEFAULT_POLICY.rules)
    .filter(([name]) => name !== 'checks')
    .map(([name, rule]) => [name, { ...rule, mode: 'enforce' }])
  const policy: Policy = { rules: { ...Object.fromEntries(rules), checks: {} } }
  if (values.words === undefined) return policy
  const lines = readFileSync(values.words, 'utf8').split(/\r?\n/)
  const spam = lines.filter((line) => /[\p{L}\p{N}]/u.test(line))
  const words = { mode: 'enforce', pending: [], spam, rejected: [] } as const
  return { rules: { ...policy.rules, words } }
}

if (values.help || positionals.length === 0) print(USAGE)
else {
  const policy = enforced()
  for (const file of positionals) {
    const comments = readLabelled(file)
    const spam = comments.filter(({ isSpam }) => isSpam).length
    print(`${basename(file)}: ${comments.length} comments, ${spam} of them spam\n`)
    print(`${toMarkdown(scoreAll(judgeFile(comments, policy)))}\n`)
  }
}
