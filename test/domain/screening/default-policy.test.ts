import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'

/** Of version 0, as JSON. */
const CHECKSUM = 'f604820c022105e103997856a4d1c7889e09451bf4289f55a361158e3aec8e5d'

t.test('the default policy never changes: comments are judged again by it', async (t) => {
  const checksum = createHash('sha256').update(JSON.stringify(DEFAULT_POLICY)).digest('hex')
  t.equal(checksum, CHECKSUM)
})

t.test('every rule of the default policy only records', async (t) => {
  const { checks, ...rules } = DEFAULT_POLICY.rules
  t.same(new Set(Object.values(rules).map(({ mode }) => mode)), new Set(['record']))
  t.same(checks, {})
})

const DOC = join(import.meta.dirname, '../../../docs/moderation/judging.md')

const sayValue = (rule: string, value: unknown): string => {
  if (typeof value === 'number') return value.toLocaleString('en')
  const list = value as readonly string[]
  return rule === 'role' ? list.join(', ') : `${list.length} entries`
}

t.test('docs/moderation/judging.md has every parameter with its default value', async (t) => {
  const said = readFileSync(DOC, 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 7 && cells[2]!.startsWith('`'))
    .map(([, rule, parameter, figure]) => [rule, parameter, figure])
  const { checks: _, ...rules } = DEFAULT_POLICY.rules
  t.same(
    said,
    Object.entries(rules).flatMap(([rule, parameters]) =>
      Object.entries(parameters)
        .filter(([name]) => name !== 'mode' && name !== 'says')
        .map(([name, value]) => [`\`${rule}\``, `\`${name}\``, sayValue(rule, value)]),
    ),
  )
})
