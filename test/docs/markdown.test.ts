import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/markdown.md'), 'utf8')
const BLOCK = /^(`{3,})(\w+)\n([\s\S]*?)^\1$/gm

type Example = { readonly source: string; readonly html: string }

/** The text of a code span, whose marks are longer than those inside. */
const spanOf = (cell: string): string => /^(`+)( ?)(.*)\2\1$/.exec(cell.trim())![3]!

const ROWS: Example[] = PAGE.replace(BLOCK, '')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').slice(1, -1).map(spanOf))
  .map(([source, html]) => ({ source: source!, html: `<p>${html}</p>\n` }))

const BLOCKS = [...PAGE.matchAll(BLOCK)].map(([, , language, text]) => ({ language, text: text! }))

const PAIRS: Example[] = BLOCKS.flatMap(({ text }, n) =>
  n % 2 === 0 ? [{ source: text, html: BLOCKS[n + 1]!.text }] : [],
)

const render = (source: string): string =>
  renderMarkdown(source).replaceAll(' rel="nofollow ugc noopener noreferrer"', '')

t.test('every example of docs/markdown.md renders to the HTML beside it', async (t) => {
  const languages = BLOCKS.map(({ language }) => language)
  t.same(
    languages,
    PAIRS.flatMap(() => ['markdown', 'html']),
    'each block has its HTML below it',
  )
  t.ok(ROWS.length > 25 && PAIRS.length > 4, 'the examples were found')
  for (const { source, html } of [...ROWS, ...PAIRS]) t.equal(render(source), html, source)
})

t.test('docs/markdown.md lists the elements of its examples, and no other', async (t) => {
  const [, list] = /has only the elements\s([\s\S]*?), and only/.exec(PAGE)!
  const listed = list!.match(/\w+(?=`)/g)!
  const used = [...ROWS, ...PAIRS].flatMap(({ html }) => html.match(/(?<=<)[a-z]+/g) ?? [])
  t.same(new Set(used), new Set(listed))
})
