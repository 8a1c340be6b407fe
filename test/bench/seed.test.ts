import t from 'tap'
import { countComments, wholePages } from '../../bench/pages.ts'
import { createRandom, shuffle } from '../../bench/random.ts'
import { shapeThread } from '../../bench/seed/shape.ts'
import { writeTexts } from '../../bench/seed/texts.ts'

const LEVELS = 9
const MOST_REPLIES = 30

t.test('shapeThread: a thread of 100 comments fits one page', async (t) => {
  const nodes = shapeThread(100)
  t.equal(nodes.length, 100)
  t.ok(Math.max(...nodes.map(({ depth }) => depth)) < LEVELS)
  t.ok(Math.max(...nodes.map(({ replies }) => replies)) <= MOST_REPLIES)
  t.ok(nodes.filter(({ parent }) => parent === 0).length > 20, 'and its roots fill a default page')
  t.ok(nodes.every(({ parent, place }) => parent < place))
})

t.test(
  'writeTexts returns the same texts in every run, of 120 characters on average',
  async (t) => {
    const texts = writeTexts()
    const average = texts.reduce((sum, { body }) => sum + body.length, 0) / texts.length
    t.ok(average > 110 && average < 130, String(average))
    t.same(writeTexts(), texts)
    t.match(texts[0]!.html, /^<p>.*<\/p>\n$/)
  },
)

t.test('shuffle keeps every item and gives the same order in every run', async (t) => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8]
  const mixed = shuffle(values, createRandom(3))
  t.notSame(mixed, values)
  t.same(
    mixed.toSorted((a, b) => a - b),
    values,
  )
  t.same(shuffle(values, createRandom(3)), mixed)
})

t.test('wholePages names each page of a thread once', async (t) => {
  const pages = [...wholePages([1, 2, 3])]
  t.equal(new Set(pages).size, pages.length)
})

t.test('countComments counts the comments of a page at all levels', async (t) => {
  const leaf = { replies: { items: [] } }
  t.equal(countComments({ items: [{ replies: { items: [leaf, leaf] } }, leaf] }), 4)
})
