import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { COMPARED_HASHES } from '../../src/domain/screening/text-similarity.ts'
import {
  countFacts,
  type FactsQuery,
  toRecentTexts,
} from '../../src/postgres/screening/recent-posts.ts'
import { runs } from '../lengths.ts'
import { openService } from '../service.ts'

/** Ages in seconds, none at the end of a window, because time passes while a test counts. */
const AGES = [-86_460, -3_600, -90, -30, 0, 5, 50, 75, 3_600, 86_000, 86_460, 200_000]
const MINUTE = 60
const DAY = 86_400

type Arrival = {
  id: number
  siteId: number
  threadId: number
  authorId: number
  network: number | null
  print: number
  age: number
}

/** Posts that differ only in their ids, and in their times by a millisecond, as exactly as they are stored. */
const burst = fc.record({
  size: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 8 }) },
    fc.constantFrom(25, 130, 1_010),
  ),
  siteId: fc.constantFrom(1, 1, 1, 2),
  threadId: fc.integer({ min: 1, max: 3 }),
  authorId: fc.integer({ min: 1, max: 4 }),
  network: fc.constantFrom(null, 1, 2, 3),
  print: fc.integer({ min: 1, max: 8 }),
  age: fc.constantFrom(...AGES),
})

const hashOf = (network: number): Buffer => Buffer.alloc(16, network)

/** Some of the texts have compared hashes in common; all have the last hash, which is not compared. */
const sketchOf = (print: number): number[] => [
  ...Array.from({ length: COMPARED_HASHES }, (_, i) => (print % 3) * 100 + i),
  print + 1_000,
  5_000,
]

const spread = (bursts: readonly (Omit<Arrival, 'id'> & { size: number })[]): Arrival[] =>
  bursts
    .flatMap(({ size, ...one }) => Array.from({ length: size }, () => one))
    .map((one, i) => ({ ...one, id: i + 1, age: one.age + i / 1_000 }))

/** What `countFacts` counts, by a loop. Of posts, `exceptId` is the only one that is left out. */
const countByLoop = (arrivals: readonly Arrival[], question: FactsQuery) => {
  const others = arrivals.filter(({ id }) => id !== question.exceptId)
  const count = (span: number, max: number, counts: (one: Arrival) => boolean): number =>
    Math.min(max, others.filter((one) => Math.abs(one.age) < span && counts(one)).length)
  const ofSite = ({ siteId }: Arrival) => siteId === question.siteId
  const latest = (max: number, counts: (one: Arrival) => boolean): Arrival[] =>
    arrivals
      .filter((one) => one.age < DAY && counts(one))
      .sort((a, b) => a.age - b.age)
      .slice(0, max)
  const networks = question.addressHashes.map((hash) => hash[0]!)
  const compared = new Set([
    ...latest(200, ofSite),
    ...question.authorIds.flatMap((id) => latest(20, (one) => ofSite(one) && one.authorId === id)),
    ...networks.flatMap((network) => latest(20, (one) => one.network === network)),
  ])
  const alike = [...compared].filter(
    (one) =>
      ofSite(one) &&
      one.id !== question.exceptId &&
      sketchOf(one.print)
        .slice(0, COMPARED_HASHES)
        .some((hash) => question.minHashes.includes(hash)),
  )
  return {
    threads: question.threadIds.map((id) =>
      count(MINUTE, 1_000, (one) => ofSite(one) && one.threadId === id),
    ),
    site: count(MINUTE, 1_000, ofSite),
    networks: networks.map((network) => count(MINUTE, 1_000, (one) => one.network === network)),
    same: question.fingerprints.map((print) =>
      count(DAY, 100, (one) => ofSite(one) && one.print === print),
    ),
    alike: [...Map.groupBy(alike, ({ print }) => print)]
      .map(([print, posts]) => ({
        fingerprint: print,
        number: posts.length,
        sketch: sketchOf(print),
      }))
      .sort((a, b) => a.fingerprint - b.fingerprint),
  }
}

const some = (max: number) => fc.subarray(Array.from({ length: max }, (_, i) => i + 1))

t.test('facts count recent posts as a loop does', async (t) => {
  const service = await openService(t)
  const { db } = service
  for (const article of ['a', 'b', 'c']) await service.post(article, 'text')
  const property = fc.asyncProperty(
    fc.array(burst, { maxLength: 8 }),
    fc.record({ threadIds: some(3), authorIds: some(4), networks: some(3), fingerprints: some(8) }),
    fc.record({ print: fc.integer({ min: 1, max: 8 }), exceptId: fc.integer({ min: 0, max: 12 }) }),
    async (bursts, { networks, ...asked }, { print, exceptId }) => {
      const arrivals = spread(bursts)
      const question = {
        ...asked,
        siteId: 1,
        exceptId,
        articleIds: [],
        nameSkeletons: [],
        addressHashes: networks.map(hashOf),
        minHashes: sketchOf(print).slice(0, COMPARED_HASHES),
      }
      await sql`delete from arrivals`.execute(db)
      await sql`
        insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint, sketch, arrived_at)
        select (one->>'siteId')::int, (one->>'id')::bigint, (one->>'threadId')::bigint, (one->>'authorId')::bigint,
          decode(one->>'hash', 'hex'), (one->>'print')::bigint,
          array(select jsonb_array_elements_text(one->'sketch')::bigint),
          now() - (one->>'age')::float * interval '1 second'
        from jsonb_array_elements(${JSON.stringify(
          arrivals.map((one) => ({
            ...one,
            hash: one.network && hashOf(one.network).toString('hex'),
            sketch: sketchOf(one.print),
          })),
        )}::jsonb) as one`.execute(db)
      const { threads, site, networks: counted, same, alike } = await countFacts(db, question)
      const texts = toRecentTexts(alike).sort((a, b) => a.fingerprint - b.fingerprint)
      t.same(
        { threads, site, networks: counted, same, alike: texts },
        countByLoop(arrivals, question),
      )
    },
  )
  await fc.assert(property, { numRuns: runs(25, 500) })
})
