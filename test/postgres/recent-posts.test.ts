import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { COMPARED_HASHES, isNearlySame } from '../../src/domain/screening/text-similarity.ts'
import type { Db } from '../../src/postgres/connection/db.ts'
import { insertArrivals } from '../../src/postgres/screening/arrivals.ts'
import {
  countFacts,
  type FactsQuery,
  toRecentTexts,
} from '../../src/postgres/screening/recent-posts.ts'
import {
  countFor,
  type EarlierPost,
  factsOf,
  type LoadedFacts,
} from '../../src/usecases/policies/count-facts.ts'

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
  ...Array.from({ length: COMPARED_HASHES }, (_, i) => classOf(print) * 100 + i),
  print + 10_000,
  50_000,
]

/** Texts of one class are nearly the same. */
const classOf = (print: number): number => (print <= 8 ? print % 3 : print % 16)

const isOfSite = ({ siteId }: Arrival) => siteId === 1

const countOf = (
  arrivals: readonly Arrival[],
  span: number,
  max: number,
  counts: (one: Arrival) => boolean,
): number => Math.min(max, arrivals.filter((one) => Math.abs(one.age) < span && counts(one)).length)

/** The posts whose texts are compared with those of the authors and networks. */
const listCompared = (
  arrivals: readonly Arrival[],
  { authorIds, networks }: { authorIds: readonly number[]; networks: readonly (number | null)[] },
): Arrival[] => {
  const latest = (max: number, counts: (one: Arrival) => boolean): Arrival[] =>
    arrivals
      .filter((one) => one.age < DAY && counts(one))
      .sort((a, b) => a.age - b.age)
      .slice(0, max)
  const compared = new Set([
    ...latest(200, isOfSite),
    ...authorIds.flatMap((id) => latest(20, (one) => isOfSite(one) && one.authorId === id)),
    ...networks.flatMap((network) =>
      latest(20, (one) => network !== null && one.network === network),
    ),
  ])
  return [...compared].filter(isOfSite)
}

const spread = (bursts: readonly (Omit<Arrival, 'id'> & { size: number })[]): Arrival[] =>
  bursts
    .flatMap(({ size, ...one }) => Array.from({ length: size }, () => one))
    .map((one, i) => ({ ...one, id: i + 1, age: one.age + i / 1_000 }))

/** What `countFacts` counts, by a loop. */
const countByLoop = (arrivals: readonly Arrival[], question: FactsQuery) => {
  const more = question.againIds.length
  const networks = question.addressHashes.map((hash) => hash[0]!)
  const alike = listCompared(arrivals, { ...question, networks }).filter((one) =>
    sketchOf(one.print)
      .slice(0, COMPARED_HASHES)
      .some((hash) => question.minHashes.includes(hash)),
  )
  const againIdOf = ({ id }: Arrival) => (question.againIds.includes(id) ? id : 0)
  const inMinute = (counts: (one: Arrival) => boolean) =>
    countOf(arrivals, MINUTE, 1_000 + more, counts)
  return {
    threads: question.threadIds.map((id) =>
      inMinute((one) => isOfSite(one) && one.threadId === id),
    ),
    site: inMinute(isOfSite),
    networks: networks.map((network) => inMinute((one) => one.network === network)),
    same: question.fingerprints.map((print) =>
      countOf(arrivals, DAY, 100 + more, (one) => isOfSite(one) && one.print === print),
    ),
    alike: [...Map.groupBy(alike, (one) => `${one.print} ${againIdOf(one)}`).values()]
      .map((posts) => ({
        fingerprint: posts[0]!.print,
        againId: againIdOf(posts[0]!),
        number: posts.length,
        sketch: sketchOf(posts[0]!.print),
      }))
      .sort(byText),
    stored: arrivals
      .filter((one) => isOfSite(one) && question.againIds.includes(one.id))
      .map(({ id, threadId, print, network, age }) => ({
        id,
        threadId,
        fingerprint: print,
        addressHash: network && hashOf(network).toString('base64'),
        isOfMinute: Math.abs(age) < MINUTE,
        isOfDay: Math.abs(age) < DAY,
      })),
  }
}

type Text = { readonly fingerprint: number; readonly againId: number }

const byText = (a: Text, b: Text): number => a.fingerprint - b.fingerprint || a.againId - b.againId

const some = (max: number) => fc.subarray(Array.from({ length: max }, (_, i) => i + 1))

const plant = async (db: Db, arrivals: readonly Arrival[]): Promise<void> => {
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
}

const ids = (max: number) => fc.uniqueArray(fc.integer({ min: 1, max }), { maxLength: 6 })

t.test('facts count recent posts as a loop does', async (t) => {
  const service = await openService(t)
  const { db } = service
  for (const article of ['a', 'b', 'c']) await service.post(article, 'text')
  const property = fc.asyncProperty(
    fc.array(burst, { maxLength: 8 }),
    fc.record({ threadIds: some(3), authorIds: some(4), networks: some(3), fingerprints: some(8) }),
    fc.record({ print: fc.integer({ min: 1, max: 8 }), againIds: ids(12) }),
    async (bursts, { networks: asked, ...listed }, { print, againIds }) => {
      const arrivals = spread(bursts)
      const question = {
        ...listed,
        siteId: 1,
        exceptOfAuthors: listed.authorIds.map(() => 0),
        againIds,
        articleIds: [],
        nameSkeletons: [],
        addressHashes: asked.map(hashOf),
        minHashes: sketchOf(print).slice(0, COMPARED_HASHES),
      }
      await plant(db, arrivals)
      const counted = await countFacts(db, question)
      const { threads, site, networks, same } = counted
      const alike = toRecentTexts(counted.alike).sort(byText)
      const stored = counted.stored.toSorted((a, b) => a.id - b.id)
      t.same({ threads, site, networks, same, alike, stored }, countByLoop(arrivals, question))
    },
  )
  await fc.assert(property, { numRuns: runs(25, 500) })
})

const WRITTEN = 24
const MONTH = 30 * DAY

/** A comment of an author whose comments the facts count. */
type Written = { readonly authorId: number; readonly status: string; readonly age: number }

const written = fc.record({
  authorId: fc.integer({ min: 1, max: 3 }),
  status: fc.constantFrom('approved', 'approved', 'pending', 'spam', 'rejected'),
  age: fc.constantFrom(10, 40 * DAY),
})

const anEdit = fc.record({
  comment: fc.integer({ min: 1, max: WRITTEN }),
  threadId: fc.integer({ min: 1, max: 3 }),
  network: fc.constantFrom(null, 1, 2),
  print: fc.integer({ min: 1, max: 40 }),
})

type AnEdit = { comment: number; threadId: number; network: number | null; print: number }

/** The facts of an edit that counts alone, by a loop. */
const factsByLoop = (
  arrivals: readonly Arrival[],
  comments: readonly Written[],
  { comment, threadId, network, print }: AnEdit,
) => {
  const { authorId } = comments[comment - 1]!
  const others = arrivals.filter(({ id }) => id !== comment)
  const inMinute = (counts: (one: Arrival) => boolean) => countOf(others, MINUTE, 999, counts) + 1
  const compared = listCompared(arrivals, { authorIds: [authorId], networks: [network] })
  const near = compared.filter(
    (one) =>
      one.id !== comment &&
      one.print !== print &&
      isNearlySame(sketchOf(one.print), sketchOf(print)),
  )
  const own = comments.filter((one, n) => n + 1 !== comment && one.authorId === authorId)
  const count = (counts: (one: Written) => boolean) => own.filter(counts).length
  const isApproved = ({ status }: Written) => status === 'approved'
  return {
    arrivals: {
      thread: inMinute((one) => isOfSite(one) && one.threadId === threadId),
      site: inMinute(isOfSite),
      network: network === null ? 0 : inMinute((one) => one.network === network),
    },
    repeats: {
      same: countOf(others, DAY, 100, (one) => isOfSite(one) && one.print === print),
      near: Math.min(100, near.length),
    },
    author: {
      approved: count(isApproved),
      recentApproved: count((one) => isApproved(one) && one.age < MONTH),
      recentRejected: count(
        ({ status, age }) => (status === 'spam' || status === 'rejected') && age < MONTH,
      ),
    },
  }
}

/** Stores comments 1, 2, ... of authors 1, 2 and 3 in thread 1. */
const writeComments = async (db: Db, comments: readonly Written[]): Promise<void> => {
  const authorIds = comments.map(({ authorId }) => authorId)
  const statuses = comments.map(({ status }) => status)
  const ages = comments.map(({ age }) => age)
  await sql`
    insert into comments (site_id, thread_id, id, author_id, status, created_at, published_at, body, body_html, renderer)
    overriding system value
    select 1, 1, c.id, c.author_id, c.status::comment_status, c.at, case when c.status = 'approved' then c.at end,
      'x', 'x', 1
    from (select *, now() - age * interval '1 second' as at from unnest(${authorIds}::bigint[],
      ${statuses}::text[], ${ages}::float[]) with ordinality as w (author_id, status, age, id)) c
    on conflict (site_id, thread_id, id) do update set author_id = excluded.author_id, status = excluded.status,
      created_at = excluded.created_at, published_at = excluded.published_at`.execute(db)
}

t.test('edits that share their counts get the facts of one edit after the other', async (t) => {
  const service = await openService(t)
  const { db } = service
  for (const article of ['a', 'b', 'c']) await service.post(article, 'text')
  await sql`delete from comment_tallies`.execute(db)
  await sql`delete from comments`.execute(db)
  let kept = 0
  const property = fc.asyncProperty(
    fc.array(burst, { maxLength: 6 }),
    fc.array(written, { minLength: WRITTEN, maxLength: WRITTEN }),
    fc.uniqueArray(anEdit, { selector: ({ comment }) => comment, minLength: 2, maxLength: 12 }),
    async (bursts, comments, edits) => {
      let arrivals = spread(bursts).map((one) => ({
        ...one,
        siteId: one.id <= WRITTEN ? 1 : one.siteId,
      }))
      await plant(db, arrivals)
      await writeComments(db, comments)
      const originOf = ({ comment, network, print }: AnEdit) => ({
        fingerprint: print,
        sketch: sketchOf(print),
        authorId: comments[comment - 1]!.authorId,
        addressHash: network === null ? null : hashOf(network),
        againId: comment,
      })
      const load = (some: readonly AnEdit[]) =>
        countFor(db, { siteId: 1, threadIds: [1, 2, 3] }, some.map(originOf))
      const factsBy = (counted: LoadedFacts, edit: AnEdit, earlier: readonly EarlierPost[]) => {
        const subject = { ...originOf(edit), ...SUBJECT, threadId: edit.threadId }
        const { arrivals, repeats, author } = factsOf(counted, subject, earlier)
        const { approved, recentApproved, recentRejected } = author
        return { arrivals, repeats, author: { approved, recentApproved, recentRejected } }
      }
      const alone = factsBy(await load([edits[0]!]), edits[0]!, [])
      t.same(alone, factsByLoop(arrivals, comments, edits[0]!))
      const counted = await load(edits)
      const earlier: EarlierPost[] = []
      for (const [n, edit] of edits.entries()) {
        const { threadId, comment: id, print, network } = edit
        const shared = factsBy(counted, edit, earlier)
        // As in a group of edits, one that is like another text takes no part.
        if (shared.repeats.near > 0) continue
        t.same(shared, factsByLoop(arrivals, comments, edit))
        earlier.push({ ...originOf(edit), threadId, verdict: undefined })
        const { authorId } = comments[id - 1]!
        const age = -n / 1_000
        arrivals = arrivals.filter((one) => one.id !== id)
        arrivals.push({ id, siteId: 1, threadId, authorId, network, print, age })
        kept += 1
      }
    },
  )
  await fc.assert(property, { numRuns: runs(25, 500) })
  t.ok(kept > runs(25, 500), `${kept} edits shared their counts`)
})

const SUBJECT = {
  kind: 'guest',
  role: 'reader',
  email: undefined,
  siteModeration: 'post',
  threadModeration: null,
  attackedUntil: null,
  bans: [],
} as const

t.test('an edit replaces the recent post of its comment', async (t) => {
  const service = await openService(t)
  const { db } = service
  const { id } = await service.post('a', 'text')
  const { threadId, id: number } = service.idsOf(1).readComment(id)!
  const edited = { threadId, id: number, authorId: 1, fingerprint: 5, sketch: [1, 2] }
  await db.executeQuery(insertArrivals(1, [edited]))
  const { rows } = await sql`select comment_id, fingerprint, sketch from arrivals`.execute(db)
  t.same(rows, [{ commentId: number, fingerprint: 5, sketch: ['1', '2'] }])
})
