import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

/** Two files define what readers see: one in SQL, one in TypeScript. */
const DEFINITIONS = ['postgres/comments/visible.ts', 'domain/comment/status.ts']

const SRC = join(import.meta.dirname, '../src')
const FILES = globSync('**/*.ts', { cwd: SRC })

/** Names of verdicts: `approved` is a verdict as well as a status. */
const VERDICTS = /^(?:verdict\w*|says|rest|decided)$/
const COMPARISONS = [
  /(?<![=!])(?:=|<>|!=) ?'approved'/g,
  /\bin \([^)]*'approved'/g,
  /\bdistinct from 'approved'/g,
  /\b(?:any|all) ?\([^)]*approved/g,
]
const STRICT_COMPARISON = /(\w+) [!=]== 'approved'/g

const listComparisons = (source: string): string[] => [
  ...COMPARISONS.flatMap((pattern) => source.match(pattern) ?? []),
  ...[...source.matchAll(STRICT_COMPARISON)]
    .filter(([, name]) => !VERDICTS.test(name!))
    .map(([text]) => text),
]

t.test('only the two definitions of visibility compare a status with approved', async (t) => {
  for (const file of FILES.filter((file) => !DEFINITIONS.includes(file)))
    t.same(listComparisons(readFileSync(join(SRC, file), 'utf8')), [], file)
  for (const file of DEFINITIONS)
    t.not(listComparisons(readFileSync(join(SRC, file), 'utf8')).length, 0, `${file} compares`)
})

t.test('the guard of visibility finds a comparison of a status with approved', async (t) => {
  const faults = [
    "where c.status = 'approved'",
    "where status <> 'approved'",
    "where status != 'approved'",
    "where status in ('pending', 'approved')",
    "where status is distinct from 'approved'",
    "where status = any('{approved,pending}')",
    "if (comment.status === 'approved') return",
    "if (from !== 'approved') return",
  ]
  for (const fault of faults) t.equal(listComparisons(fault).length, 1, fault)
})

t.test(
  'the guard of visibility accepts a comparison of a verdict, and the value alone',
  async (t) => {
    const others = ["if (verdict !== 'approved') return", "select 'approved', count(*)"]
    for (const other of others) t.same(listComparisons(other), [], other)
  },
)
