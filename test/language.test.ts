import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')

/** A comment sentence starts with a noun or a verb, not with a clause in place of a noun. */
const CLAUSE_FIRST =
  /^\s*(\/\/|\/\*\*|\*|--) (What|Whatever|Who|Whoever|Whom|Where|So long|So many)\b/
/** Words that CONTRIBUTING.md replaces by plainer ones. */
const RIDDLES = /\b(nobody|whoever|held alone|goes by|good for nothing|at once)\b/i
const COMMENT = /^\s*(\/\/|\/\*|\*|--)/

const isRiddle = (line: string): boolean =>
  CLAUSE_FIRST.test(line) || (COMMENT.test(line) && RIDDLES.test(line.replace(/`[^`]*`/g, '')))

const riddlesIn = (pattern: string): string[] =>
  globSync(pattern, { cwd: ROOT }).flatMap((path) =>
    readFileSync(join(ROOT, path), 'utf8')
      .split('\n')
      .flatMap((line, n) => (isRiddle(line) ? [`${path}:${n + 1} ${line.trim()}`] : [])),
  )

t.test('comments in the source name their subject with a noun', async (t) => {
  const patterns = ['src/**/*.ts', 'web/embed/**/*.{ts,tsx}', 'migrations/*.sql']
  t.same(patterns.flatMap(riddlesIn), [])
})

t.test('the guard of comments finds a planted riddle and accepts plain sentences', async (t) => {
  for (const line of [
    '/** What is counted here no reader sees any more. */',
    '   * Whoever hides something has it alone.',
    '-- So long a thread stays open.',
    '  // The limit is good for nothing.',
    '/** All are written at once. */',
  ])
    t.ok(isRiddle(line), line)
  for (const line of [
    '/** A hidden comment is counted only once no reader can see it. */',
    "  if (caller.kind === 'nobody') return undefined",
    '/** The caller, or `nobody` without a credential. */',
  ])
    t.notOk(isRiddle(line), line)
})
