import fc from 'fast-check'
import t from 'tap'
import { compileWords, matchWords } from '../../../../src/domain/screening/words/match-words.ts'

/** The matches of one entry in a text. */
const found = (entry: string, text: string): string[] =>
  matchWords(compileWords([entry]), text).matches.map(({ start, end }) => text.slice(start, end))

const FOUND: readonly (readonly [entry: string, text: string, found: string])[] = [
  ['viagra', 'Buy Viágra!', 'Viágra'],
  ['viagra', 'V1AGRA', 'V1AGRA'],
  ['viagra', 'I like v.i.a.g.r.a', 'v.i.a.g.r.a'],
  ['viagra', 'I v i a g r a', 'v i a g r a'],
  ['viagra', 'V\u0406\u0410GR\u0410 here', 'V\u0406\u0410GR\u0410'],
  ['viagra', 'vi\u200bag\u00adra', 'vi\u200bag\u00adra'],
  ['viagra', 'viiiiagra', 'viiiiagra'],
  ['viagra', '𝓿𝓲𝓪𝓰𝓻𝓪', '𝓿𝓲𝓪𝓰𝓻𝓪'],
  ['billig', 'bi||ig', 'bi||ig'],
  ['STRASSE', 'straße', 'straße'],
  ['ırmak', 'IRMAK', 'IRMAK'],
  ['σίσυφος', 'ΣΙΣΥΦΟΣ', 'ΣΙΣΥΦΟΣ'],
  ['buy now', 'buy,\n NOW', 'buy,\n NOW'],
  ['f*ck', 'what the Fxxck', 'Fxxck'],
  ['casino*', 'casinos', 'casino'],
  ['*porn', 'xxp0rn', 'p0rn'],
  ['buy * now', 'buy it now', 'buy it now'],
  ['a$$', 'a55 ass a$$', 'a55'],
  ['сука', 'с\u0443кa', 'с\u0443кa'],
  ['三级片', '我看三级片了', '三级片'],
  ['กะปิ', 'กินกะปิไหม', 'กะปิ'],
  ['🍆', 'nice🍆!', '🍆'],
  ['--and', 'this --and that', 'and'],
]

t.test('a word entry is found in every spelling that folds to it', async (t) => {
  for (const [entry, text, expected] of FOUND) t.equal(found(entry, text)[0], expected, entry)
})

const NOT_FOUND: readonly (readonly [entry: string, text: string])[] = [
  ['ass', 'assets pass 455 a.s'],
  ['cop', 'сор в избе'],
  ['sam', '5am'],
  ['f*ck', 'f and ck'],
  ['buy now', 'buynow'],
  ['--and', 'this and that'],
  ['viagra', 'via gra'],
  ['buy * now', 'buy it all now'],
]

t.test('a word entry is not found within another word, across words or in numbers', async (t) => {
  for (const [entry, text] of NOT_FOUND) t.same(found(entry, text), [], `${entry} in ${text}`)
})

t.test('a word entry is plain text, not an expression', async (t) => {
  t.same(found('(a+)+$', 'aaaa'), [])
  t.same(found('a.c', 'abc'), [])
})

const small = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '.', '1', 'а'), maxLength: 40 })

t.test('every word of a text is found at its place', async () => {
  fc.assert(
    fc.property(small, (text) => {
      const words = compileWords(['ab', 'b', 'abc', 'c a', 'bb'])
      return matchWords(words, text).matches.every(
        ({ start, end }) => start < end && end <= text.length,
      )
    }),
  )
  fc.assert(
    fc.property(small, (text) => {
      const plain = [...text.matchAll(/(?<![abc1а])ab(?![abc1а])/g)].map(({ index }) => index)
      const starts = matchWords(compileWords(['ab']), text).matches.map(({ start }) => start)
      return plain.every((index) => starts.includes(index))
    }),
  )
})

const HOSTILE: Readonly<Record<string, string>> = {
  'one letter': 'a',
  'a pattern almost': 'aab',
  'single letters': 'a b ',
  'single letters and signs': 'a-b c_',
  leet: '4a1! ',
  'two alphabets': 'aаbв ',
  accents: 'a\u0301\u0316',
  'no spaces': '三a',
  'long ligatures': '\ufdfa',
  wildcards: 'axbxc',
}

t.test('the word search takes at most twice the steps for twice the text', async (t) => {
  const entries = [
    'a',
    'aa',
    'aaa',
    'aaab',
    '*a*',
    '*aa*',
    'a*b',
    'a*b*c',
    'a b a b',
    'a b c d e',
    '三a三',
  ]
  const words = compileWords(entries)
  for (const [name, unit] of Object.entries(HOSTILE)) {
    const stepsFor = (times: number) => matchWords(words, unit.repeat(times)).steps
    const [one, two, four] = [stepsFor(1_000), stepsFor(2_000), stepsFor(4_000)]
    t.ok(two <= 2.05 * one && four <= 2.05 * two, `${name}: ${one}, ${two}, ${four}`)
  }
})

t.test('the word search of 65,000 entries takes no more steps than their matches', async (t) => {
  const entries = Array.from({ length: 65_000 }, (_, n) => `w${n.toString(36)}`)
  const text = 'Nothing of this is on the list. '.repeat(300)
  const { steps } = matchWords(compileWords(entries), text)
  t.ok(steps <= matchWords(compileWords(['other']), text).steps * 2)
})
