import fc from 'fast-check'
import t from 'tap'
import { excerpt } from '../../src/domain/comment/excerpt.ts'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'

const codePoints = (s: string): number => Array.from(s).length
const anyBody = fc.string({ unit: 'binary', maxLength: 80 })
const anyMarkdown = fc
  .array(fc.oneof(fc.constantFrom('*', '\n', '> ', '- ', '`', ' ', '&', '<'), anyBody))
  .map((parts) => parts.join(''))

t.test('an excerpt of a text that fits is the text, without an ellipsis', async (t) => {
  t.equal(excerpt('<p>one two</p>\n', 7), 'one two')
  t.equal(excerpt('<p>one two</p>\n', 100), 'one two')
  t.equal(excerpt('', 10), '')
  t.equal(excerpt('<p>😀😀😀</p>', 3), '😀😀😀')
})

t.test(
  'an excerpt of a longer text is cut at a word, and the ellipsis is not counted',
  async (t) => {
    const html = '<p>one two three</p>'
    const cuts = { 12: 'one two…', 8: 'one two…', 7: 'one two…', 6: 'one…', 4: 'one…', 3: 'one…' }
    for (const [max, cut] of Object.entries(cuts)) t.equal(excerpt(html, Number(max)), cut, max)
  },
)

t.test('an excerpt of a single long word is cut between graphemes', async (t) => {
  t.equal(excerpt('<p>abcdef ghi</p>', 4), 'abcd…')
  t.equal(excerpt('<p>ae\u0301io</p>', 2), 'a…', 'an accent stays with its letter')
  t.equal(excerpt('<p>👍🏽👍🏽👍🏽</p>', 5), '👍🏽👍🏽…', 'a skin tone stays with its hand')
  t.equal(excerpt('<p>👍🏽👍🏽</p>', 1), '…', 'nothing fits')
  t.equal(excerpt('<p>漢字漢字</p>', 3), '漢字漢…')
})

t.test(
  'an excerpt has single spaces for blocks and line breaks, and nothing for inline tags',
  async (t) => {
    const html = renderMarkdown(
      'one  \ntwo *th*ree\n\n- four\n- five\n\n> six\n\n```\nse\n\nven\n```\n`8`\n***\n9',
    )
    t.equal(excerpt(html, 200), 'one two three four five six se ven 8 9')
  },
)

t.test('an excerpt has characters for entities', async (t) => {
  t.equal(excerpt(renderMarkdown('a < b && "c" <script>'), 200), 'a < b && "c" <script>')
  t.equal(excerpt(renderMarkdown('&amp;lt;'), 200), '&lt;')
})

t.test('an excerpt is a prefix of the text, in bounds, and well-formed', async () => {
  fc.assert(
    fc.property(anyMarkdown, fc.integer({ min: 1, max: 60 }), (source, max) => {
      const html = renderMarkdown(source)
      const whole = excerpt(html, Infinity)
      const short = excerpt(html, max)
      if (short === whole) return codePoints(whole) <= max
      const kept = short.slice(0, -1)
      return short.endsWith('…') && codePoints(kept) <= max && whole.startsWith(kept)
    }),
  )
  fc.assert(
    fc.property(anyMarkdown, fc.integer({ min: 1, max: 60 }), (source, max) =>
      excerpt(renderMarkdown(source), max).isWellFormed(),
    ),
  )
})

t.test('an excerpt is cut at white space if the first word fits', async () => {
  fc.assert(
    fc.property(anyMarkdown, fc.integer({ min: 1, max: 60 }), (source, max) => {
      const html = renderMarkdown(source)
      const whole = excerpt(html, Infinity)
      const short = excerpt(html, max)
      const firstWord = whole.split(' ')[0]!
      if (short === whole || codePoints(firstWord) > max) return true
      return whole[short.length - 1] === ' '
    }),
  )
})
