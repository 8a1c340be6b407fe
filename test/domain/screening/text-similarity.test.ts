import fc from 'fast-check'
import t from 'tap'
import {
  fingerprintOf,
  isAlike,
  likeness,
  sketchOf,
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

t.test('fingerprints and sketches are safe integers, and sketches ascend', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const sketch = sketchOf(text)
      const isSafe = [fingerprintOf(text), ...sketch].every(
        (n) => Number.isSafeInteger(n) && n >= 0,
      )
      return (
        isSafe && sketch.length <= 24 && sketch.every((n, at) => at === 0 || n > sketch[at - 1]!)
      )
    }),
  )
})

t.test(
  'likeness is 1 for the same text, high for nearly the same, and 0 for another',
  async (t) => {
    const sketch = sketchOf(TEXT)
    t.equal(likeness(sketch, sketchOf(TEXT.toUpperCase())), 1)
    t.ok(isAlike(sketch, sketchOf(TEXT.replace('week', 'month'))))
    t.ok(isAlike(sketch, sketchOf(`${TEXT} chairs.example`)))
    t.equal(likeness(sketch, sketchOf('I did not know that the bridge was so old. Thank you.')), 0)
    t.equal(likeness(sketchOf('Yes'), sketchOf('yes.')), 1)
    t.equal(likeness([], []), 0)
  },
)

t.test('likeness does not depend on which text comes first', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 60 })
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [x, y] = [sketchOf(a), sketchOf(b)]
      return likeness(x, y) === likeness(y, x) && likeness(x, x) === 1
    }),
  )
})
