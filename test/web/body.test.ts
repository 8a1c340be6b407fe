import fc from 'fast-check'
import type { VNode } from 'preact'
import t from 'tap'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { parseBody } from '../../web/embed/body.ts'
import { openBrowser, skipWithoutBrowser } from '../browser.ts'
import { COMMONMARK_EXAMPLES, NAUGHTY_STRINGS, XSS_PAYLOADS } from '../fixtures/hostile.ts'
import { runs } from '../lengths.ts'

type Written = string | [tag: string, attributes: Record<string, string>, ...Written[]]

/** Nodes as plain values, neighbouring texts joined. */
const write = (nodes: unknown): Written[] => {
  const list = (Array.isArray(nodes) ? nodes : [nodes]).flat(9) as (VNode<any> | string)[]
  return list.reduce<Written[]>((written, node) => {
    const last = written.at(-1)
    if (typeof node === 'string') {
      if (typeof last === 'string') written[written.length - 1] = last + node
      else if (node !== '') written.push(node)
    } else if (node) {
      const { children = [], ...attributes } = node.props
      written.push([node.type as string, attributes, ...write(children)])
    }
    return written
  }, [])
}

t.test('parseBody keeps the elements that the service renders', async (t) => {
  const html = renderMarkdown(
    '**a** _b_ `c`\n\n> d\n\n2. e\n\n```js\nf < g\n```\n<https://h.example/?i=1&j=2>',
  )
  t.same(write(parseBody(html)), [
    ['p', {}, ['strong', {}, 'a'], ' ', ['em', {}, 'b'], ' ', ['code', {}, 'c']],
    '\n',
    ['blockquote', {}, '\n', ['p', {}, 'd'], '\n'],
    '\n',
    ['ol', { start: '2' }, '\n', ['li', {}, 'e'], '\n'],
    '\n',
    ['pre', {}, ['code', { class: 'language-js' }, 'f < g\n']],
    '\n',
    [
      'p',
      {},
      [
        'a',
        { href: 'https://h.example/?i=1&j=2', rel: 'nofollow ugc noopener noreferrer' },
        'https://h.example/?i=1&j=2',
      ],
    ],
    '\n',
  ])
})

t.test('parseBody shows what it does not know as text', async (t) => {
  const cases: [html: string, written: Written[]][] = [
    ['<script>alert(1)</script>', ['<script>alert(1)</script>']],
    ['<p onclick="x()">a</p>', [['p', {}, 'a']]],
    ['<img src=x onerror=alert(1)>', ['<img src=x onerror=alert(1)>']],
    [
      '<a href="javascript:alert(1)">a</a>',
      [['a', { rel: 'nofollow ugc noopener noreferrer' }, 'a']],
    ],
    ['<svg><p>a</p>', ['<svg>', ['p', {}, 'a']]],
    ['a < b &amp;&lt;&#39;&#x27;&nope;', ["a < b &<''&nope;"]],
    ['</p><em>a', ['</p>', ['em', {}, 'a']]],
    ['<constructor>', ['<constructor>']],
  ]
  for (const [html, written] of cases) t.same(write(parseBody(html)), written, html)
})

t.test('parseBody never makes another element, whatever the service sends', async (t) => {
  const known = /^(p|br|hr|em|strong|del|code|pre|blockquote|ul|ol|li|a)$/
  const names = ['href', 'rel', 'start', 'class']
  const isSafe = (node: Written): boolean =>
    typeof node === 'string' ||
    (known.test(node[0]) &&
      Object.keys(node[1]).every((name) => names.includes(name)) &&
      /^(https?:|mailto:)/i.test(node[1].href ?? 'http:') &&
      (node.slice(2) as Written[]).every(isSafe))
  const part = fc.oneof(
    fc.constantFrom(
      '<',
      '>',
      '"',
      '&lt;',
      '<a href="',
      'javascript:',
      '</a>',
      '<p>',
      '<script',
      ' onclick=',
    ),
    fc.string({ maxLength: 8 }),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (parts) =>
      write(parseBody(parts.join(''))).every(isSafe),
    ),
    { numRuns: runs(300, 5_000) },
  )
  t.pass()
})

t.test('parseBody agrees with the parser of a browser', { skip: skipWithoutBrowser }, async (t) => {
  const examples = COMMONMARK_EXAMPLES.map(({ markdown }) => markdown)
  const sources = [...examples, ...NAUGHTY_STRINGS, ...XSS_PAYLOADS]
  const bodies = sources.map(renderMarkdown)
  const browser = await openBrowser(t)
  const page = await browser.newPage()
  const parsed = await page.evaluate((all) => {
    const walk = (node: Node): unknown => {
      if (!(node instanceof Element)) return node.textContent
      const attributes = Object.fromEntries(
        [...node.attributes].map(({ name, value }) => [name, value]),
      )
      return [node.localName, attributes, ...[...node.childNodes].map(walk)]
    }
    return all.map((html) => {
      const { body } = new DOMParser().parseFromString(`<body>${html}`, 'text/html')
      return [...body.childNodes].map(walk)
    })
  }, bodies)
  t.ok(bodies.length > 600, `${bodies.length} bodies`)
  const different = bodies.filter(
    (html, n) => JSON.stringify(write(parseBody(html))) !== JSON.stringify(parsed[n]),
  )
  t.same(different, [])
})
