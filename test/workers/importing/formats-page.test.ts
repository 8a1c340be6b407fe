import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { IMPORT_FORMATS, SKIP_REASONS } from '../../../src/domain/importing/records.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/import.md'), 'utf8')

t.test('docs/import.md has every format once in its first table', async (t) => {
  const [table = ''] = /\| format \| file[\s\S]*?\n\n/.exec(PAGE) ?? []
  const formats = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, format]) => format!)
  t.same(formats.toSorted(), [...IMPORT_FORMATS].sort())
})

t.test('docs/import.md explains every reason to skip a comment', async (t) => {
  for (const reason of SKIP_REASONS) t.match(PAGE, `\`${reason}\``)
})
