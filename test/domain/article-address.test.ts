import fc from 'fast-check'
import t from 'tap'
import { canonicalArticleId } from '../../src/domain/comment/article-address.ts'
import { runs } from '../lengths.ts'

t.test('nine spellings of one address have one canonical form', async (t) => {
  for (const spelling of [
    'https://example.com/a/b',
    'http://example.com/a/b',
    'HTTPS://Example.COM/a/b',
    'https://www.example.com/a/b',
    'https://example.com:443/a/b',
    'https://example.com/a/b/',
    'https://example.com/a/b/index.html',
    'https://example.com/a/b?utm_source=mail&fbclid=x&ref=y',
    'https://example.com/%61/b#comments',
  ])
    t.equal(canonicalArticleId(spelling), 'https://example.com/a/b', spelling)
})

t.test('a canonical form keeps what can name another article', async (t) => {
  for (const [id, canonical] of [
    ['https://example.com/?p=17', 'https://example.com/?p=17'],
    ['http://example.com?b=2&a=1&b=1', 'https://example.com/?a=1&b=2&b=1'],
    ['https://example.com/A', 'https://example.com/A'],
    ['https://example.com:8080/a', 'https://example.com:8080/a'],
    ['http://example.com:443/a', 'https://example.com/a'],
    ['https://blog.example.com./a', 'https://blog.example.com/a'],
    ['https://www.com/a', 'https://www.com/a'],
    ['https://www.1.2/a', 'https://www.1.2/a'],
    ['https://bücher.example/straße', 'https://xn--bcher-kva.example/stra%C3%9Fe'],
    ['https://example.com/a%2fb', 'https://example.com/a%2Fb'],
    ['https://example.com/50%', 'https://example.com/50%25'],
    ['https://example.com/a?q=x+y&empty=', 'https://example.com/a?empty&q=x%20y'],
    ['https://example.com/index.php/index.html/', 'https://example.com/'],
    ['https://example.com/a?==', 'https://example.com/a?=='],
    ['https://example.com/reference?referrer=x', 'https://example.com/reference?referrer=x'],
  ] as const)
    t.equal(canonicalArticleId(id), canonical, id)
})

t.test('an id that is no plain web address stays as it is', async (t) => {
  const long = `https://example.com/${'é'.repeat(700)}`
  const many = `https://example.com/?${'a=1&'.repeat(40)}`
  for (const id of [
    many,
    'my-post',
    '17',
    '/a/b/',
    'a.example/b',
    'ftp://a.example/',
    'http://',
    long,
  ])
    t.equal(canonicalArticleId(id), id)
  t.equal(canonicalArticleId('https://ada:secret@a.example/b/'), 'https://ada:secret@a.example/b/')
})

const piece = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('index.html', 'www.', '%', '%41', '%2F', '%252e', '/', '//', '..', '.', '?', '#'),
  fc.constantFrom(
    'utm_x=1',
    '&',
    '=',
    '+',
    'ref',
    ':80',
    ':443',
    'a.b',
    '1.2',
    '|',
    '^',
    "'",
    '[',
    '\\',
  ),
)
const address = fc
  .tuple(
    fc.constantFrom('http://', 'https://', 'HTTP://'),
    fc.constantFrom('', 'www.', 'www.www.'),
    fc.constantFrom('a.example', 'Example.com', 'xn--bcher-kva.example', '1.2', '[::1]', 'com', ''),
    fc.array(piece, { maxLength: 10 }),
  )
  .map(([scheme, www, host, pieces]) => scheme + www + host + pieces.join(''))

t.test('a canonical form is canonical, for any address', async (t) => {
  fc.assert(
    fc.property(fc.oneof(address, fc.webUrl({ withQueryParameters: true })), (id) => {
      const canonical = canonicalArticleId(id)
      return canonicalArticleId(canonical) === canonical
    }),
    { numRuns: runs(3_000, 200_000) },
  )
  t.pass()
})

t.test('a canonical form is an address that browsers do not change', async (t) => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), (id) => {
      const canonical = canonicalArticleId(id)
      return new URL(canonical).href === canonical
    }),
    { numRuns: runs(1_000, 50_000) },
  )
  t.pass()
})
