import fc from 'fast-check'
import t from 'tap'
import {
  fingerprintOf,
  isNearlySame,
  minHashesOf,
  similarity,
} from '../../../src/domain/screening/text-similarity.ts'

const TEXT = 'Visit my new shop for the best garden chairs, all of them half price this week only!'

t.test(
  'texts that differ in case, accents, spaces and signs alone have one fingerprint',
  async (t) => {
    const same = fingerprintOf(TEXT)
    for (const other of [
      TEXT.toUpperCase(),
      `  ${TEXT.replaceAll(' ', '\n')}`,
      TEXT.replace('!', '?!'),
    ])
      t.equal(fingerprintOf(other), same)
    t.equal(fingerprintOf(TEXT.replace('best', 'b\u00e9st')), same)
    t.equal(fingerprintOf(TEXT.replace('shop', 'sh\u043ep')), same, 'a Cyrillic o')
    t.equal(fingerprintOf(TEXT.replace('shop', 'sh\u200bop')), same, 'a space that nobody sees')
    t.not(fingerprintOf(TEXT.replace('shop', 'ship')), same)
    t.not(fingerprintOf('?!'), fingerprintOf('!?'), 'without a letter, the text itself counts')
  },
)

t.test('fingerprintOf and minHashesOf return safe integers; MinHashes ascend', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const hashes = minHashesOf(text)
      const isSafe = [fingerprintOf(text), ...hashes].every(
        (n) => Number.isSafeInteger(n) && n >= 0,
      )
      return (
        isSafe && hashes.length <= 24 && hashes.every((n, at) => at === 0 || n > hashes[at - 1]!)
      )
    }),
  )
})

t.test(
  'similarity is 1 for the same text, high for nearly the same, and 0 for another',
  async (t) => {
    const hashes = minHashesOf(TEXT)
    t.equal(similarity(hashes, minHashesOf(TEXT.toUpperCase())), 1)
    t.ok(isNearlySame(hashes, minHashesOf(TEXT.replace('week', 'month'))))
    t.ok(isNearlySame(hashes, minHashesOf(`${TEXT} chairs.example`)))
    t.equal(
      similarity(hashes, minHashesOf('I did not know that the bridge was so old. Thank you.')),
      0,
    )
    t.equal(similarity(minHashesOf('Yes'), minHashesOf('yes.')), 1)
    t.equal(similarity([], []), 0)
  },
)

t.test('similarity does not depend on which text comes first', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 60 })
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [x, y] = [minHashesOf(a), minHashesOf(b)]
      return similarity(x, y) === similarity(y, x) && similarity(x, x) === 1
    }),
  )
})

t.test('texts are nearly the same exactly if their similarity is at least 0.6', async () => {
  const hash = fc.integer({ min: 1, max: 40 })
  const hashes = fc.uniqueArray(hash, { maxLength: 24 }).map((all) => all.sort((a, b) => a - b))
  fc.assert(
    fc.property(hashes, hashes, (a, b) => isNearlySame(a, b) === similarity(a, b) >= 0.6),
    { numRuns: 2_000 },
  )
})
