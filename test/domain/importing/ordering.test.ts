import fc from 'fast-check'
import t from 'tap'
import { orderComments } from '../../../src/domain/importing/order.ts'
import {
  placeComments,
  type StoredPlace,
  type Unplaced,
} from '../../../src/domain/importing/place-comments.ts'
import { runs } from '../../lengths.ts'

type Node = { n: number; parent: number | null; hasParent: boolean }

/** A thread of a file in any order: parents before or after, missing, or in circles. */
const nodes = fc.array(fc.option(fc.nat(30)), { maxLength: 25 }).map((parents): Node[] =>
  parents.map((parent, at) => ({
    n: at + 1,
    parent: parent !== null && parent >= 1 && parent <= parents.length ? parent : null,
    hasParent: parent !== null,
  })),
)

t.test('ordering keeps every comment once, and each after its parent', async (t) => {
  fc.assert(
    fc.property(nodes, (given) => {
      const ordered = orderComments(given)
      const seen = new Set<number>()
      for (const { n, isParentInFile, orphan } of ordered) {
        const { parent, hasParent } = given[n - 1]!
        if (isParentInFile && !seen.has(parent!)) return false
        if ((orphan !== null) !== (hasParent && !isParentInFile)) return false
        if (orphan === 'missing' && parent !== null) return false
        seen.add(n)
      }
      return seen.size === given.length && ordered.length === given.length
    }),
    { numRuns: runs(200, 20_000) },
  )
  t.pass('for any parents')
})

t.test('a circle of parents loses one link only, at its first comment', async (t) => {
  const circle = [
    { n: 1, parent: 3, hasParent: true },
    { n: 2, parent: 4, hasParent: true },
    { n: 3, parent: 2, hasParent: true },
    { n: 4, parent: 3, hasParent: true },
  ]
  t.same(
    orderComments(circle).map(({ n, orphan }) => [n, orphan]),
    [
      [2, 'cycle'],
      [3, null],
      [1, null],
      [4, null],
    ],
  )
  const self = orderComments([{ n: 1, parent: 1, hasParent: true }])
  t.same(self, [{ n: 1, isParentInFile: false, orphan: 'cycle' }])
})

t.test('a chain of 100,000 replies is ordered without recursion', async (t) => {
  const count = 100_000
  const chain = Array.from({ length: count }, (_, at) => ({
    n: at + 1,
    parent: at + 2 > count ? null : at + 2,
    hasParent: at + 2 <= count,
  }))
  const ordered = orderComments(chain)
  t.equal(ordered[0]!.n, count)
  t.equal(ordered.at(-1)!.n, 1)
})

const MAX_DEPTH = 4
const instant = (second: number) => new Date(second * 1_000).toISOString()

/** Comments with parents that come before them, some of which are stored already. */
const forest = fc
  .array(fc.record({ parent: fc.nat(40), isVisible: fc.boolean(), second: fc.nat(50) }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((drawn) =>
    drawn.map(({ parent, isVisible, second }, at): Unplaced => {
      const parentId = parent % (at + 1)
      return {
        id: at + 1,
        parentId: parentId === 0 ? null : parentId,
        isVisible,
        createdAt: instant(second),
      }
    }),
  )

/** Replies are shown if readers can see them or a reply below them; counted from the parents alone. */
const recount = (placed: readonly (StoredPlace & { createdAt: string })[]) => {
  const isShown = (id: number): boolean => {
    const { isVisible } = placed.find((one) => one.id === id)!
    return isVisible || placed.some((one) => one.parentId === id && isShown(one.id))
  }
  return placed.map(({ id, createdAt }) => {
    const shown = placed.filter((one) => one.parentId === id && isShown(one.id))
    const newest = shown.map((one) => one.createdAt).reduce((a, b) => (a > b ? a : b), createdAt)
    return [id, shown.length, newest]
  })
}

t.test('placing comments in two steps counts what a recount of the parents counts', async (t) => {
  fc.assert(
    fc.property(forest, fc.nat(30), (comments, cut) => {
      const visible = new Map(comments.map((comment) => [comment.id, comment]))
      const toStored = (one: {
        id: number
        parentId: number
        depth: number
        replyCount: number
        activeAt: string
      }): StoredPlace => {
        const { isVisible, createdAt } = visible.get(one.id)!
        return { ...one, homeThreadId: null, isVisible, createdAt }
      }
      const first = placeComments(comments.slice(0, cut), [], MAX_DEPTH).placed.map(toStored)
      const second = placeComments(comments.slice(cut), first, MAX_DEPTH)
      const grown = new Map(second.grown.map((one) => [one.id, one]))
      const all = [
        ...first.map((one) => ({ ...one, ...grown.get(one.id) })),
        ...second.placed.map(toStored),
      ]
      const isDeepEnough = all.every(({ depth, parentId }) => {
        const parent = all.find(({ id }) => id === parentId)
        return depth <= MAX_DEPTH && depth === (parent ? parent.depth + 1 : 0)
      })
      const counted = all.map(({ id, replyCount, activeAt }) => [id, replyCount, activeAt])
      return isDeepEnough && JSON.stringify(counted) === JSON.stringify(recount(all))
    }),
    { numRuns: runs(200, 20_000) },
  )
  t.pass('for any forest')
})

t.test('a comment below the depth limit becomes a sibling of its parent', async (t) => {
  const chain = Array.from({ length: 6 }, (_, at): Unplaced => {
    return { id: at + 1, parentId: at === 0 ? null : at, isVisible: true, createdAt: instant(at) }
  })
  t.same(
    placeComments(chain, [], 2).placed.map(({ parentId, depth, isCut }) => [
      parentId,
      depth,
      isCut,
    ]),
    [
      [0, 0, false],
      [1, 1, false],
      [2, 2, false],
      [2, 2, true],
      [2, 2, true],
      [2, 2, true],
    ],
  )
})
