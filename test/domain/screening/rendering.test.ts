import fc from 'fast-check'
import t from 'tap'
import { judgeDraft } from '../../../src/domain/screening/compile-policy.ts'
import { DEFAULT_POLICY } from '../../../src/domain/screening/default-policy.ts'
import type { Finding } from '../../../src/domain/screening/finding.ts'
import type { Policy } from '../../../src/domain/screening/policy.ts'
import { isMarkedUp } from '../../../src/domain/screening/rendering.ts'
import { runs } from '../../lengths.ts'
import { draftOf, factsOf } from './facts.ts'

const find = (
  rule: keyof Policy['rules'],
  body: string,
  settings: Partial<Policy['rules']>,
): Finding | undefined =>
  judgeDraft(draftOf(body), factsOf(), {
    rules: { ...DEFAULT_POLICY.rules, ...settings },
  }).trace.find((finding) => finding.rule === rule)

/** Each link as it leads, and where it pretends to lead. */
const linksOf = (body: string): string[] =>
  draftOf(body).rendering.links.map(({ hosts, pretends }) =>
    [hosts.join('+'), ...(pretends ? [pretends] : [])].join(' → '),
  )

t.test('the links of a rendering lead where a browser goes', async (t) => {
  const bodies: Record<string, string[]> = {
    '[x](https:/evil.example/)': ['evil.example'],
    '[x](https://ev&#105;l.example/)': ['evil.example'],
    '[x](https://evil\\.example/)': ['evil.example'],
    '[x](https:\\\\evil.example)': ['evil.example'],
    '[x](HTTPS://EVIL.example:8443)': ['evil.example'],
    '[x](https://ＥＶＩＬ.example/)': ['evil.example'],
    '[x](https://0x7f.1/)': ['127.0.0.1'],
    '<https://evil.example/a>': ['evil.example'],
    'ev**il.example/path**': ['evil.example'],
    '[a.example](https://www.a.example)': ['www.a.example'],
    '[https://good.example](https://evil.example)': ['evil.example → good.example'],
    '[good.example/&#97; **now**](https://evil.example)': ['evil.example → good.example'],
    '[x](https://a.example/?to=https%3A%2F%2Fevil.example)': ['a.example+evil.example'],
    '[x](mailto:someone@evil.example)': ['evil.example'],
    '[x](mailto:someone@ev%69l%2Eexample)': ['evil.example'],
    '[x](mailto:someone@bücher.example?cc=other@evil.example)': [
      'xn--bcher-kva.example+evil.example',
    ],
    '[x](mailto:a@a.example?body=or%20b%40evil.example%20now%ff)': ['a.example+evil.example'],
    '[a.​com](https://evil.example)': ['evil.example → a.com'],
    '[a。com](https://evil.example)': ['evil.example → a.com'],
    '你好。evil.com，谢谢。男生/女生': ['xn--6qq79v.evil.com'],
    'ev­il.com or www．evil．example': ['evil.com', 'www.evil.example'],
    '[x](javascript:alert(1)) and [y](/z)': [],
    '`https://a.example` and https://b.example': ['a.example', 'b.example'],
  }
  for (const [body, links] of Object.entries(bodies)) t.same(linksOf(body), links, body)
})

t.test('the link rules count and match the links of the rendering', async (t) => {
  const none = { links: { ...DEFAULT_POLICY.rules.links, max: 0 } }
  const eight = Array.from({ length: 8 }, (_, n) => `[w](https:/s${n}.example/)`).join(' ')
  t.match(find('links', eight, none)?.evidence, 'it has 8 links')
  const link_domains = { ...DEFAULT_POLICY.rules.link_domains, block: ['evil.example'] }
  const found = (body: string) => find('link_domains', body, { link_domains })?.found
  t.same(found('see [x](https://evil.example/)'), [
    { text: 'https://evil.example/', field: 'body', start: 8, end: 29 },
  ])
  t.same(
    found('see [x](https:/evil.example/)'),
    [{ text: 'x', field: 'body', start: 4, end: 5, reading: 'rendered' }],
    'the source does not have the address',
  )
})

t.test('the word rule finds what the source hides and readers see', async (t) => {
  const words = { ...DEFAULT_POLICY.rules.words, pending: ['viagra'], spam: [] }
  const found = (body: string) => find('words', body, { words })?.found
  t.same(found('vi**ag**ra'), [
    { text: 'viagra', field: 'body', start: 0, end: 6, reading: 'rendered' },
  ])
  t.ok(found('v&#105;agra'))
  t.same(found('**viagra** and vi*ag*ra')?.length, 1, 'an entry of the source is shown there')
})

t.test('a text is marked up if its words are not those of the source', async (t) => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', ' ', '\n', '\t', '\u00a0'),
    maxLength: 8,
  })
  const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean).join(' ')
  fc.assert(
    fc.property(text, text, (body, text) => {
      const rendering = { body, text, addresses: [], links: [] }
      t.equal(isMarkedUp(rendering), wordsOf(body) !== wordsOf(text), JSON.stringify([body, text]))
    }),
    { numRuns: runs(500, 20_000) },
  )
})

t.test('length, shouting and repeats read the rendered text', async (t) => {
  const length = { ...DEFAULT_POLICY.rules.length, min: 5 }
  t.match(find('length', '[a](https://a.example/a-long-address)', { length })?.evidence, '1 char')
  t.same(find('shouting', 'LISTEN **TO ME** [RIGHT NOW](https://a.example/x), PLEASE', {})?.found, [
    { text: 'LISTEN', field: 'body', start: 0, end: 6 },
    { text: 'TO', field: 'body', start: 9, end: 11 },
    { text: 'ME', field: 'body', start: 12, end: 14 },
    { text: 'RIGHT', field: 'body', start: 18, end: 23 },
    { text: 'NOW', field: 'body', start: 24, end: 27 },
    { text: 'PLEASE', field: 'body', start: 51, end: 57 },
  ])
  const { repeats } = DEFAULT_POLICY.rules
  const facts = factsOf({ repeats: { same: 9 } })
  const trace = judgeDraft(draftOf('[w](https://spam.example/)'), facts, {
    rules: { ...DEFAULT_POLICY.rules, repeats },
  }).trace
  t.ok(
    trace.some(({ rule }) => rule === 'repeats'),
    'the target of a link counts as text',
  )
})

/** A letter of a word as an author may write it without changing what readers see. */
const written = (letter: string) =>
  fc.oneof(
    fc.constant(letter),
    fc.constantFrom(`&#${letter.codePointAt(0)};`, `&#x${letter.codePointAt(0)!.toString(16)};`),
    fc.constantFrom(`**${letter}**`, `~~${letter}~~`, `*${letter}*`),
    fc.constantFrom(`[${letter}](https://a.example/)`),
  )

t.test('the word rule finds any word that readers see, however its source is written', async () => {
  const words = { ...DEFAULT_POLICY.rules.words, pending: ['casino'], spam: [] }
  const bodies = fc
    .tuple(...Array.from('casino', written))
    .map((letters) => `We met in a ${letters.join('')} last night.`)
  fc.assert(
    fc.property(bodies, (body) => {
      const isSeen = draftOf(body).rendering.text.includes(' casino ')
      return !isSeen || find('words', body, { words }) !== undefined
    }),
    { numRuns: runs(300, 5_000) },
  )
})
