import fc from 'fast-check'
import { Parser } from 'htmlparser2'
import t from 'tap'
import { renderMarkdown } from '../../src/domain/comment/markdown.ts'
import { runs } from '../lengths.ts'

const hrefsIn = (html: string): string[] => {
  const hrefs: string[] = []
  new Parser({ onopentag: (tag, { href }) => tag === 'a' && hrefs.push(href!) }).end(html)
  return hrefs
}

/** The HTML of one paragraph, without the paragraph and without `rel`. */
const inlineOf = (source: string): string =>
  renderMarkdown(source)
    .replaceAll(' rel="nofollow ugc noopener noreferrer"', '')
    .replace(/^<p>(.*)<\/p>\n$/s, '$1')

const link = (url: string, href = url): string => `<a href="${href}">${url}</a>`

t.test('a bare URL whose host goes on after a part of it is not linked', async (t) => {
  const urls = [
    'https://bob@host.example/x.git',
    'https://bob:secret@host.example/x.git',
    'https://a.example:80@b.example/',
    'https://a.example;x@b.example/',
    'https://a..example/x',
    'https://a.example../x',
    'https://a.example:x/',
    'https://a.example:/x',
    'https://a.example:80:90/',
    'https://a.example:99999/x',
    'https://a.example,b.example/',
    'https://a%2eb.example/',
    'https://-a.example/',
    'https://a.example＠b.example/',
    'https://a．b.example/',
    'https://bob@https://b.example/x',
    'https://a..example/https://b.example/',
    'https://a..example/mailto:a@b.example',
    'mailto:a@b..example',
    'mailto:a@b.example:80',
    'mailto:a@b.example@c.example',
    `https://a.example/${'a'.repeat(2_048)}/https://b.example/x`,
  ]
  for (const url of urls) {
    t.equal(inlineOf(url), url)
    t.equal(inlineOf(`git clone ${url} **now**`), `git clone ${url} <strong>now</strong>`)
  }
  t.same(hrefsIn(renderMarkdown('<https://bob@host.example/x>')), [])
  t.same(hrefsIn(renderMarkdown('https://a.example\\@b.example https://a.example&#64;b')), [])
})

t.test(
  'a bare URL with a port, or with a host that is a number or a name, is linked whole',
  async (t) => {
    const urls = [
      'https://a.example:8080/x',
      'http://localhost:3000/',
      'http://127.0.0.1:3000/x?a=b#c',
      'http://[::1]:3000/x',
      'https://a_b.example/',
      'https://a.example/x_(y)_z',
      'https://web.example/https://b.example/',
    ]
    for (const url of urls) t.equal(inlineOf(`see ${url}, or not`), `see ${link(url)}, or not`)
    const mail = 'mailto:a@b.example?subject=c'
    t.equal(inlineOf(`(${mail})`), `(${link(mail)})`)
  },
)

t.test('a bare URL ends where the sentence around it goes on', async (t) => {
  const a = link('https://a.example/x')
  const cases: [source: string, html: string][] = [
    ['https://a.example/x.', `${a}.`],
    ['https://a.example/x...', `${a}...`],
    ['(https://a.example/x)', `(${a})`],
    ['(see https://a.example/x!)', `(see ${a}!)`],
    ["'https://a.example/x', ", `'${a}',`],
    ['"https://a.example/x"', `"${a}"`],
    ['请看https://a.example/x。谢谢', `请看${a}。谢谢`],
    ['...https://a.example/x', `...${a}`],
    ['https://a.example/x\\\nb', `${a}<br />\nb`],
    ['[b https://a.example/x] c', `[b ${a}] c`],
    ['[see https://a.example/x and https://bob@b.example', `[see ${a} and https://bob@b.example`],
  ]
  for (const [source, html] of cases) t.equal(inlineOf(source), html, source)
})

t.test('marks round a bare URL emphasise it and are no part of it', async (t) => {
  const a = link('https://a.example/x')
  const cases: [source: string, html: string][] = [
    ['_https://a.example/x_', `<em>${a}</em>`],
    ['__https://a.example/x__', `<strong>${a}</strong>`],
    ['*https://a.example/x*', `<em>${a}</em>`],
    ['**https://a.example/x**', `<strong>${a}</strong>`],
    ['~~https://a.example/x~~', `<del>${a}</del>`],
    ['**~~_https://a.example/x_~~**', `<strong><del><em>${a}</em></del></strong>`],
    ['**see https://a.example/x**(b)', `<strong>see ${a}</strong>(b)`],
    ['~~see https://a.example/x~~, b', `<del>see ${a}</del>, b`],
  ]
  for (const [source, html] of cases) t.equal(inlineOf(source), html, source)
  for (const url of [
    'https://a.example/*b*c',
    'https://a.example/~b/_c_d',
    'https://a.example/b~~c',
  ])
    t.equal(inlineOf(url), link(url))
  t.equal(
    inlineOf('**https://a.example/?b=*c**'),
    `<strong>${link('https://a.example/?b=*c')}</strong>`,
  )
})

t.test('an image is a link with the text of the image', async (t) => {
  const png = 'https://a.example/b.png'
  const cases: [source: string, html: string][] = [
    [`c ![a *b*](${png} "title")!`, `c <a href="${png}">a <em>b</em></a>!`],
    [`![](${png})`, link(png)],
    [`![${png}](${png})`, link(png)],
    [`\\![a](${png})`, `!<a href="${png}">a</a>`],
    [`!![a](${png})`, `!<a href="${png}">a</a>`],
    ['![a](/b.png)', '![a](/b.png)'],
    [`[![a](${png})](https://b.example/)`, '<a href="https://b.example/">a</a>'],
    [`[![](${png}) *c*](https://b.example/)`, `<a href="https://b.example/">${png} <em>c</em></a>`],
    [`**![*a*](${png})**`, `<strong><a href="${png}"><em>a</em></a></strong>`],
  ]
  for (const [source, html] of cases) t.equal(inlineOf(source), html, source)
})

const part = fc.string({
  unit: fc.constantFrom(...Array.from('ab1-_~%+=&,;!é漢')),
  minLength: 1,
  maxLength: 4,
})
const often = (arbitrary: fc.Arbitrary<string>) => fc.oneof(fc.constant(''), arbitrary)
const host = fc
  .array(fc.oneof(fc.constantFrom('a', 'bob', 'example', 'xn--tda'), part), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((labels) => fc.constantFrom('.', '.', '..').map((dot) => labels.join(dot)))
const port = fc.constantFrom(
  ':',
  ':0',
  ':80',
  ':8080',
  ':65535',
  ':65536',
  ':123456',
  ':x',
  ':80:80',
)
const userinfo = fc.constantFrom(
  'bob@',
  'bob:pw@',
  ':@',
  '@',
  'a.example@',
  'a.example:80@',
  'a@b@',
)
const rest = fc.array(
  fc.oneof(
    fc.constantFrom('/', '?', '#', '.', ':', '@', '//', 'https://', 'mailto:', 'c.example'),
    part,
  ),
  { maxLength: 6 },
)
const path = rest.map((parts) => `/${parts.join('')}`)
const scheme = fc.constantFrom('http://', 'https://', 'HTTPS://')
const url = fc
  .tuple(scheme, often(userinfo), host, often(port), often(path))
  .map((parts) => `${parts.join('')}/x`)

t.test('a bare URL is linked whole or not at all', async () => {
  fc.assert(
    fc.property(url, fc.constantFrom('', 'see ', '(', '请看'), (url, before) => {
      const hrefs = hrefsIn(renderMarkdown(`${before}${url} now`))
      return hrefs.length === 0 || (hrefs.length === 1 && hrefs[0] === URL.parse(url)?.href)
    }),
    { numRuns: runs(1_000, 20_000) },
  )
})
