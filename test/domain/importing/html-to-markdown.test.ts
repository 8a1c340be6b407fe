import fc from 'fast-check'
import { Parser } from 'htmlparser2'
import t from 'tap'
import { renderMarkdown } from '../../../src/domain/comment/markdown.ts'
import { htmlToMarkdown, htmlToText } from '../../../src/domain/importing/html-to-markdown.ts'
import { NAUGHTY_STRINGS, XSS_PAYLOADS } from '../../fixtures/hostile.ts'
import { runs } from '../../lengths.ts'

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** The text that a reader sees, with white space folded. */
const shownText = (html: string): string => {
  let text = ''
  const parser = new Parser({
    ontext: (piece) => {
      text += piece
    },
  })
  parser.end(html)
  return foldSpace(text)
}
const foldSpace = (text: string): string => text.replace(/\s+/gu, ' ').trim()

/** HTML as a comparison sees it: without the relation of links and without white space between blocks. */
const essenceOf = (html: string): string =>
  html
    .replace(/ rel="[^"]*"/g, '')
    .replace(/<br ?\/?>\s*/g, '<br>')
    .replace(/<hr ?\/?>/g, '<hr>')
    .replace(/\s*(<\/?(?:p|ul|ol|li|blockquote|pre|hr)[^>]*>)\s*/g, '$1')
    .replace(/<\/?p>/g, '¶')
    .replace(/¶+/g, '¶')
    .replace(/(<li>|<blockquote>)¶|¶(?=<\/li>|<\/blockquote>|<ul>|<ol|<li>)/g, '$1')
    .replace(/¶/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()

const EXAMPLES: readonly (readonly [string, string])[] = [
  ['<p>one</p><p>two<br>three</p>', 'one\n\ntwo\nthree'],
  ['<b>one</b> <i>two</i> <s>three</s>', '**one** *two* ~~three~~'],
  ['<strong><em>one</em></strong>', '**_one_**'],
  ['one<b>!two!</b>three', 'on&#101;**!two!**&#116;hree'],
  ['<b> one </b>two', '**one** two'],
  ['<b><p>one</p><p>two</p></b>', '**one**\n\n**two**'],
  ['<code>a`b</code>', '``a`b``'],
  ['<pre><code class="language-js">a\n  b</code></pre>', '```js\na\n  b\n```'],
  ['<blockquote><p>one</p><p>two</p></blockquote>', '> one\n>\n> two'],
  ['<ul><li>one<ul><li>two</li></ul></li><li>three</li></ul>', '- one\n  - two\n- three'],
  ['<ol start="3"><li>one</li><li>two</li></ol>', '3. one\n4. two'],
  ['<ul><li>one</li></ul><ul><li>two</li></ul>', '- one\n\n* two'],
  ['one<hr>two', 'one\n\n___\n\ntwo'],
  ['<h2>one</h2>two', '**one**\n\ntwo'],
  ['<table><tr><td>one</td><td>two</td></tr><tr><td>three</td></tr></table>', 'one | two\n\nthree'],
  ['<a href="https://a.example/b">one</a>', '[one](https://a.example/b)'],
  ['<a href="https://a.example/b">https://a.example/b</a>', '<https://a.example/b>'],
  ['<a href="https://a.example/b_(c)">one</a>', '[one](<https://a.example/b_(c)>)'],
  ['<a href="javascript:alert(1)">one</a>', 'one'],
  ['<a href="/b">one</a>', 'one'],
  ['<img src="https://a.example/b.png" alt="one">', '[one](https://a.example/b.png)'],
  [
    '<a href="https://a.example/"><img src="https://a.example/b.png" alt="one"></a>',
    '[one](https://a.example/)',
  ],
  ['one!<a href="https://a.example/">two</a>', 'one\\![two](https://a.example/)'],
  ['<script>alert(1)</script><style>a{}</style>one', 'one'],
  ['see https://a.example/b_c. one', 'see https://a.example/b_c. one'],
  ['1. one<br>- two<br>&gt; three', '1\\. one\n\\- two\n\\> three'],
  [
    '*one* _two_ snake_case [three] `four` &amp;amp; &lt;b&gt;',
    '\\*one\\* \\_two\\_ snake_case \\[three\\] \\`four\\` \\&amp; \\<b>',
  ],
  ['one\ntwo &nbsp; three', 'one two \u00a0 three'],
  ['<p>&nbsp;</p>', ''],
]

for (const [html, markdown] of EXAMPLES)
  t.test(
    `htmlToMarkdown turns ${html.replaceAll('\n', ' ').replaceAll('#', '')} into Markdown`,
    async (t) => {
      t.equal(htmlToMarkdown(html), markdown)
    },
  )

t.test('htmlToMarkdown keeps line breaks where the caller says that they show', async (t) => {
  const html = 'one\ntwo\n\nthree <b>four</b>\r\nfive'
  t.equal(htmlToMarkdown(html, { keepsLineBreaks: true }), 'one\ntwo\n\nthree **four**\nfive')
  t.equal(htmlToMarkdown('one\n- two', { keepsLineBreaks: true }), 'one\n\\- two')
})

t.test('htmlToText leaves out marks and decodes entities', async (t) => {
  t.equal(htmlToText(' Fish &amp; <b>chips</b>\n&#8217;s '), 'Fish & chips ’s')
})

const shows = (text: string): boolean => {
  const markdown = htmlToMarkdown(escapeHtml(text))
  return shownText(renderMarkdown(markdown)) === foldSpace(text.replaceAll('\0', '\ufffd'))
}

t.test('a text of any characters shows exactly as it was', async (t) => {
  const marks = fc.string({
    unit: fc.constantFrom(
      ...Array.from('ab1 \n*_~`[]()<>!&#;:.-+\\|"\'=/@é中。'),
      'http://',
      'https://a.example/',
      'mailto:',
      '&amp;',
      '**',
      '~~',
      '- ',
      '1. ',
    ),
    maxLength: 40,
  })
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), marks),
      shows,
    ),
    {
      numRuns: runs(500, 10_000),
    },
  )
  for (const text of NAUGHTY_STRINGS) if (!shows(text)) t.fail(JSON.stringify(text))
})

const words = fc.constantFrom(
  'one',
  'two!',
  '(three)',
  '4',
  'é',
  '中文',
  '。',
  'a*b',
  'snake_case',
  '"q"',
  '🙂',
  '#',
  '-',
  '1.',
)
const spaced = fc
  .array(fc.tuple(words, fc.constantFrom('', ' ')), { minLength: 1, maxLength: 4 })
  .map((list) => list.flat().join('').trim())
const inline = fc.letrec<{ node: string; many: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    spaced.map(escapeHtml),
    fc
      .tuple(fc.constantFrom('em', 'strong', 'del'), tie('many'))
      .map(([tag, inner]) => `<${tag}>${inner}</${tag}>`),
    spaced.map((text) => `<code>${escapeHtml(text)}</code>`),
    spaced.map((text) => `<a href="https://a.example/x_y">${escapeHtml(text)}</a>`),
    fc.constant('<br>'),
  ),
  many: fc
    .array(fc.tuple(tie('node'), fc.constantFrom('', ' ')), { minLength: 1, maxLength: 4 })
    .map((list) => list.flat().join('')),
})).many

/** The text of HTML with the marks of each character. Two texts with equal marks look the same. */
const marksOf = (html: string): string[] => {
  const open: string[] = []
  const shown: string[] = []
  const parser = new Parser({
    onopentag: (tag, { href }) => {
      if (tag === 'br') shown.push('br')
      open.push(tag === 'a' ? `a ${href}` : tag)
    },
    onclosetag: () => open.pop(),
    ontext: (text) => {
      const marks = [...new Set(open.filter((tag) => !['p', 'br'].includes(tag)))].sort().join('+')
      for (const character of text) if (!/\s/u.test(character)) shown.push(`${character} ${marks}`)
    },
  })
  parser.end(html)
  return shown
}
const withoutBreaks = (marks: readonly string[]): string[] => marks.filter((mark) => mark !== 'br')

t.test('emphasis, code and links of HTML are those that the Markdown renders to', async (t) => {
  fc.assert(
    fc.property(inline, (html) => {
      const rendered = renderMarkdown(htmlToMarkdown(html))
      const [before, after] = [withoutBreaks(marksOf(html)), withoutBreaks(marksOf(rendered))]
      // Code has no emphasis inside, and a code in a link is inside the link.
      if (before.join('|') !== after.join('|'))
        throw new Error(`${htmlToMarkdown(html)}\n${rendered}`)
    }),
    { numRuns: runs(500, 10_000) },
  )
  t.pass('each sample was equal')
})

const block = fc.letrec<{ node: string; many: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('one', 'two three', 'é').map((text) => `<p>${text}</p>`),
    fc.constantFrom('a\n  b', 'x `` y', '  z').map((text) => `<pre><code>${text}\n</code></pre>`),
    fc.constant('<hr>'),
    tie('many').map((inner) => `<blockquote>${inner}</blockquote>`),
    fc
      .tuple(fc.constantFrom('ul', 'ol'), fc.array(tie('many'), { minLength: 1, maxLength: 3 }))
      .map(
        ([tag, items]) => `<${tag}>${items.map((item) => `<li>${item}</li>`).join('')}</${tag}>`,
      ),
  ),
  many: fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((list) => list.join('')),
})).many

t.test(
  'quotes, lists, code and rules of HTML are those that the Markdown renders to',
  async (t) => {
    fc.assert(
      fc.property(block, (html) => {
        const rendered = essenceOf(renderMarkdown(htmlToMarkdown(html)))
        if (rendered !== essenceOf(html))
          throw new Error(`${htmlToMarkdown(html)}\n${rendered}\n${essenceOf(html)}`)
      }),
      { numRuns: runs(300, 20_000) },
    )
    t.pass('each sample was equal')
  },
)

t.test('htmlToMarkdown never throws on hostile HTML', async (t) => {
  for (const payload of XSS_PAYLOADS) htmlToMarkdown(payload)
  t.pass('all payloads were read')
})

t.test('htmlToMarkdown reads 200,000 nested elements in a second', async (t) => {
  const many = 200_000
  const hostile = [
    '<b>'.repeat(many),
    '<blockquote>'.repeat(many),
    '<ul><li>'.repeat(many),
    `${'<b>'.repeat(many)}${'</i>'.repeat(many)}`,
    '<'.repeat(many),
    '<a href="https://a.example/">'.repeat(many),
    '<b>x</b>'.repeat(many / 10),
    '*'.repeat(many),
    'https://'.repeat(many / 10),
    '&'.repeat(many),
    '<pre>'.repeat(many),
    '<table><tr><td>'.repeat(many),
  ]
  for (const html of hostile) {
    const start = performance.now()
    htmlToMarkdown(`${html}text`)
    t.ok(
      performance.now() - start < 2_000,
      `${html.slice(0, 12)} took ${performance.now() - start} ms`,
    )
  }
})
