import fc from 'fast-check'
import t from 'tap'
import { foldText } from '../../../../src/domain/screening/folding/fold-text.ts'

const folded = (text: string): string => {
  const { letters, length } = foldText(text)
  return String.fromCharCode(...letters.subarray(0, length))
}

t.test('foldText removes case, accents, width, style and invisible characters', async (t) => {
  const texts = {
    'Straße STRASSE': 'strasse strasse',
    İIıi: 'iiii',
    'ΣΊΣΥΦΟΣ Σίσυφος': 'σισυφοσ σισυφοσ',
    'ＣＡＳＩＮＯ 𝓬𝓪𝓼𝓲𝓷𝓸 ⓒⓐⓢⓘⓝⓞ 🅲🅰🆂🅸🅽🅾': 'casino casino casino casino',
    'ca\u200bsi\u00adn\u2060o': 'casino',
    'c\u0336a\u0336f\u0301e\u0301': 'cafe',
    'Ærøskøbing Łódź þorn': 'aeroskobing lodz thorn',
    'ŭ\u0308\u0301\u0302x': 'ux',
    'שָׁלוֹם مُحَمَّد': 'שלום محمد',
  }
  for (const [text, expected] of Object.entries(texts)) t.equal(folded(text), expected)
})

t.test(
  'foldText keeps marks that make another letter: Indic vowels, Thai tones, voiced kana',
  async (t) => {
    for (const text of ['हिन्दी', 'ขี้', 'がぱ', '강간', '𠮷野']) t.equal(folded(text), text)
    t.equal(folded('が'.normalize('NFD')), 'が')
    t.equal(folded('강간'.normalize('NFD')), '강간')
  },
)

t.test(
  'foldText gives each letter its place in the text, in order and on whole code points',
  async () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        const { starts, ends, length } = foldText(text)
        const isWhole = (at: number) => text.slice(0, at).isWellFormed()
        return Array.from({ length }, (_, n) => n).every(
          (n) =>
            starts[n]! < ends[n]! &&
            ends[n]! <= text.length &&
            (n === 0 || starts[n]! >= starts[n - 1]!) &&
            isWhole(starts[n]!) &&
            isWhole(ends[n]!),
        )
      }),
    )
  },
)

t.test('foldText leaves folded text unchanged', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
      const once = folded(text)
      return folded(once) === once
    }),
  )
})

t.test('foldText takes text that is not well-formed', async (t) => {
  t.equal(folded('a\ud800b\udc00'), 'a b ')
})
