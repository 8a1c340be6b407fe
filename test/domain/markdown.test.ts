import fc from 'fast-check'
import { Parser } from 'htmlparser2'
import sanitizeHtml from 'sanitize-html'
import t from 'tap'
import { RENDERER_VERSION, renderMarkdown, SANITIZER } from '../../src/domain/comment/markdown.ts'
import { COMMONMARK_EXAMPLES, NAUGHTY_STRINGS, XSS_PAYLOADS } from '../fixtures/hostile.ts'
import { runs } from '../lengths.ts'

const REL = 'nofollow ugc noopener noreferrer'
const TAGS = 'p br hr em strong del code pre blockquote ul ol li a'.split(' ')

/** A string as a test's title: TAP lines end at U+2028 as well. */
const shown = (s: string): string =>
  JSON.stringify(s.slice(0, 60)).replace(/[^ -~]/g, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)

/** Everything in the HTML that a comment may not hold, as a parser sees it. */
const faultsParsed = (html: string): string[] => {
  const faults: string[] = []
  const open: string[] = []
  const onopentag = (tag: string, attributes: Record<string, string>): void => {
    if (!TAGS.includes(tag)) faults.push(`tag ${tag}`)
    if (tag === 'a' && open.includes('a')) faults.push('link in a link')
    for (const [name, value] of Object.entries(attributes)) {
      if (!isAllowed(tag, name, value)) faults.push(`${tag} ${name}=${value}`)
    }
    if (tag === 'a' && Object.keys(attributes).sort().join() !== 'href,rel')
      faults.push('bare link')
    open.push(tag)
  }
  const parser = new Parser({
    onopentag,
    onclosetag: () => open.pop(),
    oncomment: () => faults.push('comment'),
    onprocessinginstruction: () => faults.push('instruction'),
  })
  parser.end(html)
  return faults
}

const isAllowed = (tag: string, name: string, value: string): boolean => {
  if (tag === 'ol' && name === 'start') return /^\d{1,9}$/.test(value)
  if (tag === 'code' && name === 'class') return /^language-[A-Za-z0-9+#._-]{1,32}$/.test(value)
  if (tag === 'a' && name === 'rel') return value === REL
  if (tag !== 'a' || name !== 'href') return false
  return ['http:', 'https:', 'mailto:'].includes(URL.parse(value)?.protocol ?? '')
}

/** Without any parser's opinion: each `<` starts one of the few spellings that we ever write. */
const faultsSpelled = (html: string): string[] => {
  const plain =
    /^<(?:[bh]r \/|ol start="\d{1,9}"|code class="language-[A-Za-z0-9+#._-]{1,32}"|\/?(?:p|em|strong|del|code|pre|blockquote|ul|ol|li))>/
  const link =
    /^<(?:\/a|a href="(?:https?:\/\/|mailto:)[^"<>]*" rel="nofollow ugc noopener noreferrer")>/
  const starts = [...html.matchAll(/</g)].map(({ index }) => html.slice(index, index + 7_000))
  return starts.filter((s) => !plain.test(s) && !link.test(s)).map((s) => shown(s))
}

const faultsIn = (html: string): string[] => [...faultsParsed(html), ...faultsSpelled(html)]
const faultsOf = (source: string): string[] => faultsIn(renderMarkdown(source))

t.test('the search for forbidden HTML finds every kind of it', async (t) => {
  const bad = [
    '<script>alert(1)</script>',
    '<p onclick="x()">a</p>',
    '<p class="a">a</p>',
    '<img src=x>',
    '<h1>a</h1>',
    '<a href="javascript:alert(1)">a</a>',
    `<a href="java\nscript:alert(1)" rel="${REL}">a</a>`,
    `<a href="/a" rel="${REL}">a</a>`,
    `<a href="//a.example" rel="${REL}">a</a>`,
    '<a href="https://a.example/">a</a>',
    `<a href="https://a.example/" rel="${REL}" title="a">a</a>`,
    '<ol start="-1"><li>a</li></ol>',
    '<code class="js">a</code>',
    '<code class="language-js x">a</code>',
    '<code class="language-">a</code>',
    '<code class="language-js" id="a">a</code>',
    '<pre class="language-js">a</pre>',
    `<code class="language-${'a'.repeat(33)}">a</code>`,
    '<!-- a -->',
    '<?php a ?>',
    '<svg><a>',
  ]
  for (const html of bad) t.not(faultsIn(html).length, 0, html)
  t.not(faultsParsed(bad.join('')).length, 0)
  t.not(faultsSpelled('<').length, 0)
  const link = `<a href="https://a.example/" rel="${REL}">a &lt; b</a>`
  t.same(faultsIn(`<p>${link}<br />\n<em>b</em></p>\n<ol start="3">\n<li>c</li>\n</ol>\n`), [])
})

t.test('renderMarkdown renders its subset of CommonMark', async (t) => {
  const a = (href: string, text: string): string => `<a href="${href}" rel="${REL}">${text}</a>`
  const cases: [source: string, html: string][] = [
    ['a\n\nb', '<p>a</p>\n<p>b</p>\n'],
    ['a\nb\r\nc  \nd\\\ne', '<p>a<br />\nb<br />\nc<br />\nd<br />\ne</p>\n'],
    ['*a* __b__ ~~c~~ `d`', '<p><em>a</em> <strong>b</strong> <del>c</del> <code>d</code></p>\n'],
    ['```js\na < b\n```', '<pre><code class="language-js">a &lt; b\n</code></pre>\n'],
    ['```\na\n```', '<pre><code>a\n</code></pre>\n'],
    ['    a', '<pre><code>a\n</code></pre>\n'],
    [
      '> a\n> > b',
      '<blockquote>\n<p>a</p>\n<blockquote>\n<p>b</p>\n</blockquote>\n</blockquote>\n',
    ],
    ['- a\n- b', '<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n'],
    ['a\n***\nb', '<p>a</p>\n<hr />\n<p>b</p>\n'],
    ['a\n---\n* * *\n- a\n- - -', '<p>a</p>\n<hr />\n<hr />\n<ul>\n<li>a</li>\n</ul>\n<hr />\n'],
    ['1. a', '<ol>\n<li>a</li>\n</ol>\n'],
    ['7) a', '<ol start="7">\n<li>a</li>\n</ol>\n'],
    ['[a](https://b.example/c "d")', `<p>${a('https://b.example/c', 'a')}</p>\n`],
    ['<a@b.example>', `<p>${a('mailto:a@b.example', 'a@b.example')}</p>\n`],
    ['see http://b.example.', `<p>see ${a('http://b.example/', 'http://b.example')}.</p>\n`],
    ['mailto:a@b.example', `<p>${a('mailto:a@b.example', 'mailto:a@b.example')}</p>\n`],
    [
      'https://ü.example/ü',
      `<p>${a('https://xn--tda.example/%C3%BC', 'https://ü.example/ü')}</p>\n`,
    ],
    ['![a](https://b.example/c.png)', `<p>${a('https://b.example/c.png', 'a')}</p>\n`],
    ['&copy; \\*a\\*', '<p>© *a*</p>\n'],
  ]
  for (const [source, html] of cases) t.equal(renderMarkdown(source), html, shown(source))
})

t.test(
  'renderMarkdown emphasises Chinese, Japanese and Korean words beside punctuation',
  async (t) => {
    const cases: [source: string, html: string][] = [
      ['**注意：**请看', '<strong>注意：</strong>请看'],
      ['请看**“这里”**吧', '请看<strong>“这里”</strong>吧'],
      ['~~旧的。~~新的', '<del>旧的。</del>新的'],
      ['*これは。*強調', '<em>これは。</em>強調'],
      ['**이것(저것)**은', '<strong>이것(저것)</strong>은'],
      ['a**b.**c', 'a**b.**c'],
    ]
    for (const [source, html] of cases)
      t.equal(renderMarkdown(source), `<p>${html}</p>\n`, shown(source))
  },
)

t.test('renderMarkdown keeps the language of a fence, and nothing else beside it', async (t) => {
  const classOf = (info: string): string | undefined =>
    /^<pre><code(?: class="([^"]*)")?>a\n<\/code><\/pre>\n$/.exec(
      renderMarkdown(`~~~${info}\na\n~~~`),
    )?.[1]
  for (const name of ['js', 'c++', 'C#', 'objective-c', 'asp.net', 'x_1', 'a'.repeat(32)]) {
    t.equal(classOf(name), `language-${name}`)
    t.equal(classOf(` ${name} title="b" {1,3}`), `language-${name}`)
  }
  for (const name of [
    '',
    'a'.repeat(33),
    'é',
    'a"b',
    'a&quot;b',
    '<b>',
    '{a}',
    "a'",
    'a/b',
    'a:b',
    'js,b',
  ])
    t.equal(classOf(name), undefined, shown(name))
})

t.test('renderMarkdown leaves Markdown outside its subset as text', async (t) => {
  const text = ['# a', '--', 'a\n===', '| a |\n|---|\n| b |', '(c) "a" -- ...', '[a]: b\n\n[a]']
  const raw = ['<b>a</b>', '<script>alert(1)</script>', '<!-- a -->', '<br>', '</p>']
  for (const source of [...text, ...raw]) {
    const html = source
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/(.)\n(?=.)/g, '$1<br />\n')
    t.equal(renderMarkdown(source), `<p>${html.replace('\n\n', '</p>\n<p>')}</p>\n`, source)
  }
})

t.test('renderMarkdown links absolute http, https and mailto URLs only', async (t) => {
  const relative = ['/a', 'a', '#a', '?a', '//a.example', 'a.example', '.', '\\\\a.example']
  const broken = ['', '<>', 'https://', 'http:', 'mailto', ':', '<java\tscript:alert(1)>']
  const script = [
    'javascript:a',
    'JaVaScRiPt:a',
    '&#106;avascript:a',
    'java\nscript:a',
    'vbscript:a',
  ]
  const other = [
    'data:text/html,a',
    'data:image/png;base64,a',
    'file:///a',
    'ftp://a.example',
    'x:y',
  ]
  const long = `https://a.example/${'a'.repeat(2_100)}`
  const targets = [relative, broken, script, other, long].flat()
  for (const target of targets) {
    t.notMatch(renderMarkdown(`[a](${target})`), /<a/, shown(target))
    t.notMatch(renderMarkdown(`<${target}>`), /<a/, shown(target))
  }
  const fuzzy = 'www.a.example a.example a@b.example //a.example 127.0.0.1 ftp://a.example'
  t.equal(renderMarkdown(fuzzy), `<p>${fuzzy}</p>\n`)
})

t.test('renderMarkdown does not link a URL with a user or a password as a whole', async (t) => {
  for (const target of ['https://a.example@b.example', 'https://a.example:c@b.example/d']) {
    for (const source of [target, `<${target}>`, `[e](${target})`]) {
      t.notMatch(renderMarkdown(source), /href="[^"]*(?:@|b\.example)/, source)
    }
  }
})

t.test('renderMarkdown never nests links', async (t) => {
  const inner = [
    '[b](https://b.example)',
    '<https://b.example>',
    'https://b.example',
    '<b@b.example>',
  ]
  for (const source of inner.map((link) => `[a ${link} c](https://a.example)`)) {
    t.same(faultsOf(source), [], source)
  }
})

t.test('renderMarkdown keeps the text below the deepest level', async (t) => {
  const levels = [1, 9, 19, 20, 21, 30, 99, 200, 1_000]
  for (const sign of ['> ', '- ', '1. ', '> - ', '- > ', '[', '*', 'a~~', '_**']) {
    for (const n of levels) {
      const html = renderMarkdown(`${sign.repeat(n)}needle\nsecond\n\nthird\n- fourth`)
      for (const word of ['needle', 'second', 'third', 'fourth'])
        t.match(html, word, `${n} ${sign}`)
      t.same(faultsIn(html), [])
    }
  }
})

t.test('renderMarkdown nests tags at most 40 deep', async (t) => {
  for (const sign of ['>', '- ', '**', '*a **b ', '~~a ']) {
    let depth = 0
    let deepest = 0
    const parser = new Parser({
      onopentag: () => (deepest = Math.max(deepest, ++depth)),
      onclosetag: () => depth--,
    })
    const end = Array.from(sign).reverse().join('')
    parser.end(renderMarkdown(`${sign.repeat(1_000)}a${end.repeat(1_000)}`))
    t.ok(deepest > 0 && deepest <= 40, `${sign} ${deepest}`)
  }
})

t.test('renderMarkdown renders any 10,000 characters into at most 200 kB', async (t) => {
  const alone = '> [ ( * _ ~ ` - + & < ! \\ | # : / . " \t \n \r 💩 \u0301 é'.split(' ')
  const pairs = [
    '> ',
    '- ',
    '* ',
    '1. ',
    '**',
    '~~',
    '[a](',
    '[a](b',
    '[]()',
    '](',
    '- a\n',
    '> a\n',
    '- - -\n',
    '- * * *\n',
    '> ---\n',
    '____\n',
  ]
  const more = [
    '**a ',
    '*a **b ',
    '*a_ ',
    '`a',
    '``` ',
    '<a ',
    '[<a',
    '<a>[',
    '[[a](',
    '![',
    '[![',
    '![a](http://a)',
    '![](http://a)',
    '[![a](http://a)](http://b) ',
    '&#0;',
    '>\n\n',
  ]
  const links = [
    'http://',
    'http://a ',
    'http://a/!',
    'http://a/((a',
    '<http://a>',
    '<a@b.c>',
    'a://',
  ]
  for (const unit of [
    ...alone,
    ...pairs,
    ...more,
    ...links,
    'mailto:a@',
    '-\n',
    '```\n',
    '://',
    '',
  ]) {
    const source = unit.repeat(Math.ceil(10_000 / Math.max(1, unit.length))).slice(0, 10_000)
    const html = renderMarkdown(source)
    t.ok(html.length < 200_000, `small: ${shown(unit)} ${html.length}`)
    t.same(faultsIn(html), [])
  }
})

t.test('renderMarkdown renders growing runs, nests and hosts harmless', async (t) => {
  const han = (n: number): string =>
    String.fromCodePoint(...Array.from({ length: n }, (_, i) => 0x4e00 + i))
  const sources = [
    Array.from({ length: 140 }, (_, i) => `a${'`'.repeat(i)}`).join(''),
    Array.from({ length: 98 }, (_, i) => `${' '.repeat(2 * i)}- a\n`).join(''),
    `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
    `${'*'.repeat(4_999)}a${'*'.repeat(4_999)}`,
    `${'>'.repeat(20)}a\n${'b\n'.repeat(4_900)}`,
    `http://${han(9_990)}`,
    `[a](http://${han(2_030)})`.repeat(4),
    `${'\n'.repeat(54_000)}a`,
  ]
  for (const source of sources) {
    t.same(faultsOf(source), [])
  }
})

t.test('renderMarkdown renders any text into allowed HTML that can be stored', async () => {
  const bits =
    '* _ ~~ ` [ ]( ) < > > - 1. http://a.b javascript: mailto:a@b " & &#0; \\ \n \t'.split(' ')
  const piece = fc.oneof(fc.constantFrom(...bits, ' ', '\n\n'), fc.string({ unit: 'binary' }))
  const source = fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(source, (s) => {
      const html = renderMarkdown(s)
      const storable = html.isWellFormed() && !html.includes('\0')
      return faultsIn(html).length === 0 && storable && html === renderMarkdown(s)
    }),
    { numRuns: 500 },
  )
})

t.test('renderMarkdown renders every XSS payload harmless', async (t) => {
  for (const payload of XSS_PAYLOADS) {
    for (const source of [payload, `[a](${payload})`, `<${payload}>`, `- > *${payload}*`]) {
      t.same(faultsOf(source), [], shown(payload))
    }
  }
})

t.test('renderMarkdown renders every naughty string harmless', async (t) => {
  for (const s of NAUGHTY_STRINGS) t.same([...faultsOf(s), ...faultsOf(`[a](${s})`)], [], shown(s))
})

t.test('renderMarkdown renders every CommonMark example harmless', async (t) => {
  for (const { markdown, html } of COMMONMARK_EXAMPLES) {
    t.same([...faultsOf(markdown), ...faultsOf(html)], [], shown(markdown))
  }
})

t.test(
  'renderMarkdown agrees with CommonMark where an example needs the subset only',
  async (t) => {
    // Line breaks and the bounds of languages are ours, so neither is compared.
    const core = (html: string): string =>
      html
        .replace(/<br \/>|\s(?!class|start)| class="(?!language-[\w+#.-]+")[^"]*"/g, '')
        .replaceAll('&quot;', '"')
    const inSubset = ({ markdown, html }: { markdown: string; html: string }): boolean =>
      !/<(?:h\d|img|a )/.test(html) && !/[<[]|:\/\//.test(markdown)
    const compared = COMMONMARK_EXAMPLES.filter(inSubset)
    t.ok(compared.length > 300, `${compared.length} examples`)
    for (const { markdown, html } of compared) {
      t.equal(core(renderMarkdown(markdown)), core(html), shown(markdown))
    }
  },
)

t.test('RENDERER_VERSION is the version that is stored with the HTML', async (t) => {
  t.equal(RENDERER_VERSION, 3)
})

t.test(
  'a link has no quote of any kind, so that an attribute of any page can hold it',
  async (t) => {
    const url = "https://a.example/it's?q='x'&r=\"y\"#it's"
    const href = 'https://a.example/it%27s?q=%27x%27&amp;r=%22y%22#it%27s'
    for (const source of [
      `[a](<${url}>)`,
      `<${url.replaceAll('"', '%22')}>`,
      `see ${url.split('&')[0]} now`,
    ]) {
      const html = renderMarkdown(source)
      const [, found] = /href="([^"]*)"/.exec(html)!
      t.ok(href.startsWith(found!), source)
      t.notMatch(found, "'")
    }
    t.match(renderMarkdown("[a](mailto:o'neil@a.example)"), 'href="mailto:o%27neil@a.example"')
  },
)

t.test('the sanitizer changes no rendered HTML, so that plain comments do without it', async () => {
  const pieces = [
    ' ',
    '\n',
    '\n\n',
    '  \n',
    '\r\n',
    '\t',
    '\0',
    '"',
    "'",
    '&',
    '<',
    '>',
    '\\',
    '*',
    '`',
    '- ',
    '> ',
  ]
  const piece = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.constantFrom(...pieces, '&amp;', '&#8203;', '<br>', '<p>', '</p>'),
    },
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
    { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 6 }) },
  )
  const property = fc.property(fc.array(piece, { maxLength: 12 }), (parts) => {
    const html = renderMarkdown(parts.join(''))
    return sanitizeHtml(html, SANITIZER) === html
  })
  fc.assert(property, { numRuns: runs(3_000, 50_000) })
})
