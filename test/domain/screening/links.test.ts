import t from 'tap'
import { findLinks } from '../../../src/domain/screening/links.ts'

/** Each link as it stands, where it leads, and where it pretends to. */
const linksIn = (text: string): string[] =>
  findLinks(text).map(({ start, end, hosts, pretends }) =>
    [text.slice(start, end), hosts.join('+'), ...(pretends ? [pretends] : [])].join(' → '),
  )

t.test(
  'findLinks finds links with and without a scheme and gives their hosts in ASCII',
  async (t) => {
    const texts = {
      'See https://a.example/x?y.': 'https://a.example/x?y → a.example',
      'HTTP://A.Example:80/': 'HTTP://A.Example:80/ → a.example',
      'visit Example.COM, now': 'Example.COM → example.com',
      '**www.a.xyz**': 'www.a.xyz → www.a.xyz',
      'news.co.uk': 'news.co.uk → news.co.uk',
      'bit.ly/abc': 'bit.ly/abc → bit.ly',
      'http://münchen.example': 'http://münchen.example → xn--mnchen-3ya.example',
      'http://0x7f.1/': 'http://0x7f.1/ → 127.0.0.1',
      'http://a.comhttp://b.com': 'http://a.comhttp://b.com → a.com+b.com',
      'http://a.com/?u=http://b.com': 'http://a.com/?u=http://b.com → a.com+b.com',
      '[text](http://a.com)': 'http://a.com → a.com',
    }
    for (const [text, link] of Object.entries(texts)) t.same(linksIn(text), [link])
  },
)

t.test('findLinks marks a link that shows one host and leads to another', async (t) => {
  t.same(linksIn('https://good.com@evil.com/'), [
    'https://good.com@evil.com/ → evil.com → good.com',
  ])
  t.same(linksIn('https://good.com\\@evil.com'), ['https://good.com\\@evil.com → good.com'])
})

t.test('findLinks finds no link in text that is no address', async (t) => {
  for (const text of [
    'a@b.com',
    'e.g. this',
    'etc.and',
    'node.js',
    'https:// a',
    '1.5',
    'javascript:x',
    '...',
  ])
    t.same(linksIn(text), [], text)
})
