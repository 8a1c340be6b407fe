import { sql } from 'kysely'
import type { Facts } from '../../domain/screening/facts.ts'
import { joinAddress } from '../comments/addresses.ts'
import { isVisible } from '../comments/visible.ts'
import type { Db, Tx } from '../connection/db.ts'

/** Of a sketch, that texts which are nearly the same share at least one of. */
export const LEAST_SHINGLES = 6

/** Of these the sketches are looked at: the latest on the site, and of each author and network. */
const LATEST_OF_SITE = 200
const LATEST_OF_WRITER = 20
const MAX_MINUTE = 1_000
const MAX_COUNT = 100

/** What is to be known before some comments to one thread are judged. Lists have nothing twice. */
export type FactsQuery = {
  readonly siteId: number
  /** Null: there is no thread yet. */
  readonly threadId: number | null
  readonly authorIds: readonly number[]
  readonly addressHashes: readonly Buffer[]
  readonly fingerprints: readonly number[]
  /** The first shingles of each sketch. */
  readonly shingles: readonly number[]
  /** The comment that is judged once more, and does not count; 0: none. */
  readonly exceptId: number
}

/** What an author has written, but for its name. */
export type AuthorHistory = Omit<Facts['author'], 'kind' | 'role'> & { readonly id: number }

/** A text of the last day, and how often it has come. */
export type RecentText = {
  readonly fingerprint: number
  readonly sketch: readonly number[]
  readonly number: number
}

/** The answers, those about lists in their order. Every count is bounded. */
export type CountedFacts = Pick<Facts, 'at' | 'threadSince' | 'attackedUntil'> & {
  readonly thread: number
  readonly site: number
  readonly networks: readonly number[]
  readonly same: readonly number[]
  readonly records: readonly AuthorHistory[]
  /** Those that may be nearly the same as one of those that are judged. */
  readonly alike: readonly RecentText[]
}

const minute = sql`interval '1 minute'`
const day = sql`interval '1 day'`
const month = sql`interval '30 days'`

/**
 * Everything that is counted, in one statement. It locks nothing: what another transaction is about to
 * add is not among it.
 */
export const countFacts = async (db: Db, question: FactsQuery): Promise<CountedFacts> => {
  const { siteId, threadId, authorIds, addressHashes, fingerprints, exceptId } = question
  const ofSite = sql`site_id = ${siteId}`
  const { rows } = await sql<CountedFacts>`
    with moment as materialized (select clock_timestamp()::timestamptz(3) as now)
    select now as at,
      (select nullif(t.created_at, transaction_timestamp()::timestamptz(3)) from threads t
        where t.site_id = ${siteId} and t.id = ${threadId}::bigint) as thread_since,
      (select attacked_until from sites where id = ${siteId} and attacked_until > now)
        as attacked_until,
      ${countSince(minute, { where: ofSite, key: sql`thread_id`, is: sql`${threadId}::bigint`, exceptId })}
        as thread,
      (select count(*)::int from (
        select from arrivals where ${ofSite} and arrived_at > now - ${minute} ${butFor(exceptId)}
        order by arrived_at desc limit ${MAX_MINUTE}
      ) a) as site,
      array(
        select ${countSince(minute, { where: NETWORK_IS_KNOWN, key: sql`address_hash`, is: sql`n.hash`, exceptId })}
        from unnest(${addressHashes}::bytea[]) with ordinality n (hash, place) order by place
      ) as networks,
      array(
        select ${countSince(day, { where: ofSite, key: sql`fingerprint`, is: sql`f.print`, exceptId })}
        from unnest(${fingerprints}::bigint[]) with ordinality f (print, place) order by place
      ) as same,
      ${recordsOf(siteId, authorIds, exceptId)} as records,
      ${alikeTo(question)} as alike
    from moment`.execute(db)
  return rows[0]!
}

/** As the index says it. */
const NETWORK_IS_KNOWN = sql`address_hash is not null`

type Sql = ReturnType<typeof sql>
type Counted = {
  readonly where: Sql
  readonly key: Sql
  readonly is: Sql
  readonly exceptId: number
}

/**
 * Key and time are compared together, and in the order of the one index that has them so. Compared one
 * by one, Postgres chooses by what it believes of minutes and of repeated texts, and reads the whole day.
 * A limit that it does not know lets it expect few.
 */
const countSince = (span: Sql, { where, key, is, exceptId }: Counted) => sql`(
  select count(*)::int from (
    select from arrivals where ${where} ${butFor(exceptId)}
      and (${key}, arrived_at) > (${is}, now - ${span}) and (${key}, arrived_at) <= (${is}, 'infinity')
    order by ${key} desc, arrived_at desc limit ${span === day ? MAX_COUNT : MAX_MINUTE}
  ) a)`

/** What is not in the index is only asked for when it is needed. */
const butFor = (exceptId: number) => (exceptId === 0 ? sql`` : sql`and comment_id <> ${exceptId}`)

const recordsOf = (siteId: number, authorIds: readonly number[], exceptId: number) => {
  const count = (condition: ReturnType<typeof sql>) => sql`(
    select count(*) from (
      select from comments c where c.site_id = ${siteId} and c.author_id = a.id and c.id <> ${exceptId}
        and ${condition} limit ${sql.lit(MAX_COUNT)}) c)`
  return sql`(
    select coalesce(jsonb_agg(jsonb_build_object(
      'id', a.id,
      'emailDomain', substring(lower(a.email) from '@([^@]+)$'),
      'approved', ${count(isVisible('c.status'))},
      'recentApproved', ${count(sql`${isVisible('c.status')} and c.published_at > now - ${month}`)},
      'recentRejected', ${count(sql`c.status in ('spam', 'rejected') and c.created_at > now - ${month}`)}
    )), '[]')
    from authors a where a.site_id = ${siteId} and a.id = any(${authorIds}::bigint[]))`
}

const alikeTo = ({ siteId, authorIds, addressHashes, shingles, exceptId }: FactsQuery) => {
  const latest = (condition: ReturnType<typeof sql>, limit: number) => sql`
    select site_id, comment_id, fingerprint, sketch from arrivals
    where ${condition} and arrived_at > now - ${day}
    order by arrived_at desc limit ${sql.lit(limit)}`
  return sql`(
    select coalesce(jsonb_agg(l), '[]') from (
      select fingerprint, min(sketch) as sketch, count(distinct comment_id) as number
      from (
        (${latest(sql`site_id = ${siteId}`, LATEST_OF_SITE)})
        union all
        select w.* from unnest(${authorIds}::bigint[]) as q (id) cross join lateral (
          ${latest(sql`site_id = ${siteId} and author_id = q.id`, LATEST_OF_WRITER)}) w
        union all
        select n.* from unnest(${addressHashes}::bytea[]) as q (hash) cross join lateral (
          ${latest(sql`address_hash = q.hash`, LATEST_OF_WRITER)}) n
      ) a
      where site_id = ${siteId} and comment_id <> ${exceptId}
        and sketch[1:${sql.lit(LEAST_SHINGLES)}] && ${shingles}::bigint[]
      group by fingerprint
    ) l)`
}

/** An edit is an arrival too: of its text, at this moment. */
export const insertArrival = async (
  tx: Tx,
  arrival: {
    siteId: number
    threadId: number
    id: number
    authorId: number
    fingerprint: number
    sketch: readonly number[]
  },
): Promise<void> => {
  const { siteId, threadId, id, authorId, fingerprint, sketch } = arrival
  await sql`
    insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint, sketch,
      arrived_at)
    select ${siteId}, ${id}, ${threadId}, ${authorId}, d.address_hash, ${fingerprint},
      ${sketch}::bigint[], clock_timestamp()
    from comments c ${joinAddress}
    where c.site_id = ${siteId} and c.thread_id = ${threadId} and c.id = ${id}
    on conflict (site_id, comment_id) do update set fingerprint = excluded.fingerprint,
      sketch = excluded.sketch, arrived_at = excluded.arrived_at`.execute(tx)
}
