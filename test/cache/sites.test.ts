import t from 'tap'
import { createSiteCache } from '../../src/cache/sites.ts'
import type { Site } from '../../src/domain/site/site.ts'
import { until } from '../start.ts'

/** A query whose results arrive when the test says so. */
const openQueries = () => {
  const queries: { slug: string; resolve: (site: Site | undefined) => void }[] = []
  const cache = createSiteCache((slug) => {
    const { promise, resolve } = Promise.withResolvers<Site | undefined>()
    queries.push({ slug, resolve })
    return promise
  })
  return { cache, queries }
}

const siteOf = (version: number): Site => ({ version }) as Site

t.test('findCurrent shares one query among the calls of one moment', async (t) => {
  const { cache, queries } = openQueries()
  const calls = ['a', 'b', 'a', 'a'].map((slug) => cache.findCurrent(slug))
  await until('both sites are queried', async () => queries.length === 2)
  t.same(
    queries.map(({ slug }) => slug),
    ['a', 'b'],
  )
  for (const [n, { resolve }] of queries.entries()) resolve(siteOf(n))
  t.same(await Promise.all(calls), [siteOf(0), siteOf(1), siteOf(0), siteOf(0)])
})

t.test('findCurrent gives a call the result of no query that began before the call', async (t) => {
  const { cache, queries } = openQueries()
  const before = cache.findCurrent('a')
  await until('the site is queried', async () => queries.length === 1)
  const after = [cache.findCurrent('a'), cache.findCurrent('a')]
  queries[0]!.resolve(siteOf(1))
  t.same(await before, siteOf(1))
  await until('the site is queried again', async () => queries.length === 2)
  queries[1]!.resolve(siteOf(2))
  t.same(await Promise.all(after), [siteOf(2), siteOf(2)])
  t.equal(queries.length, 2)
})
