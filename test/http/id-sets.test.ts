import fc from 'fast-check'
import t from 'tap'
import { packIds, unpackIds } from '../../src/http/wire/id-sets.ts'
import { runs } from '../lengths.ts'

t.test('unpackIds returns any set that packIds packed, in order', async () => {
  const ids = fc.uniqueArray(fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat()), { maxLength: 40 })
  const property = fc.property(ids, (set) => {
    const expected = set.toSorted((a, b) => a - b).join(' ')
    const found = unpackIds(packIds(set)).join(' ')
    if (found !== expected) throw new Error(`${found} is not ${expected}`)
  })
  fc.assert(property, { numRuns: runs(100, 2_000) })
})

t.test('packIds needs at most 2,000 characters for 600 comments among 50,000', async (t) => {
  const ids = Array.from({ length: 600 }, (_, n) => 10_000_000 + n * 83)
  t.ok(packIds(ids).length <= 2_000)
})
