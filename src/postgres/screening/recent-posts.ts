import { type RawBuilder, sql } from 'kysely'
import type { Facts } from '../../domain/screening/facts.ts'
import { COMPARED_HASHES } from '../../domain/screening/text-similarity.ts'
import { joinAddress } from '../comments/addresses.ts'
import { isVisible } from '../comments/visible.ts'
import { isNear } from '../connection/clock.ts'
import type { Db } from '../connection/db.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import { isHoldOfNow } from '../service/sites.ts'
import { keysOf } from '../threads/article-ids.ts'

/** How many of the latest posts are compared: of the site, and of each author and network. */
const LATEST_OF_SITE = 200
const LATEST_OF_WRITER = 20
const MAX_MINUTE = 1_000
const MAX_COUNT = 100

/** The counts that judging some comments needs. Lists have no duplicates. */
export type FactsQuery = {
  readonly siteId: number
  /** The threads, by id or by article. Those that do not exist yet are not counted. */
  readonly threadIds: readonly number[]
  readonly articleIds: readonly string[]
  readonly authorIds: readonly number[]
  readonly addressHashes: readonly Buffer[]
  readonly fingerprints: readonly number[]
  /** The lowest MinHashes of each text. */
  readonly minHashes: readonly number[]
  /** Skeletons of the names of guests. */
  readonly nameSkeletons: readonly string[]
  /** A comment that is judged again, which does not count itself; 0 for none. */
  readonly exceptId: number
}

/** The part of the facts about an author's earlier comments. */
export type AuthorHistory = Omit<Facts['author'], 'kind' | 'role'> & { readonly id: number }

/** A text of the last day, and how many comments have it. */
export type RecentText = {
  readonly fingerprint: number
  readonly sketch: readonly number[]
  readonly number: number
}

/** Counts for a `FactsQuery`; arrays follow the order of its lists. Every count is limited. */
export type CountedFacts = Pick<Facts, 'at' | 'attackedUntil'> & {
  /** The threads that were found, as text, with the same order in the two lists about them. */
  readonly threadIds: readonly string[]
  readonly threads: readonly number[]
  readonly threadsSince: readonly Facts['threadSince'][]
  readonly site: number
  readonly networks: readonly number[]
  readonly same: readonly number[]
  readonly records: readonly AuthorHistory[]
  /** Texts that may be nearly the same as a judged one, for `toRecentTexts`. */
  readonly alike: string | null
  /** The skeletons that names of members have. */
  readonly takenNames: readonly string[]
}

const minute = sql`interval '1 minute'`
const day = sql`interval '1 day'`
const month = sql`interval '30 days'`

/**
 * Counts everything in one statement, without locks. Posts of transactions still in progress are not
 * counted.
 */
export const countFacts = async (db: Db, query: FactsQuery): Promise<CountedFacts> =>
  (await db.executeQuery(askFacts(query))).rows[0]!

/** The statement of `countFacts`. Its only row has the result. */
export const askFacts = (query: FactsQuery): Query<CountedFacts> =>
  (query.exceptId === 0 ? FACTS : FACTS_OF_OTHERS)(query)

type Sql = ReturnType<typeof sql>
type Places = { readonly [Key in keyof FactsQuery]: RawBuilder<FactsQuery[Key]> }

/** @param others the condition on a row that it is about another comment, or nothing */
const writeFacts = (of: Places, others: Sql) => {
  const ofSite = sql`site_id = ${of.siteId}`
  return sql<CountedFacts>`
    with moment as materialized (select clock_timestamp()::timestamptz(3) as now),
    asked as materialized (
      select t.id, t.created_at from threads t
      where t.site_id = ${of.siteId} and t.id = any(${of.threadIds}::bigint[])
      union all
      select t.id, t.created_at from threads t
      where t.site_id = ${of.siteId} and t.article_id = any(${keysOf(sql`${of.articleIds}::text[]`)})
    )
    select now as at,
      array(select id from asked order by id) as thread_ids,
      array(
        select nullif(created_at, transaction_timestamp()::timestamptz(3)) from asked order by id
      ) as threads_since,
      (select attacked_until from sites where id = ${of.siteId} and attacked_until > now
        and ${isHoldOfNow(sql`now`)}) as attacked_until,
      array(
        select ${countSince(minute, { where: ofSite, key: sql`thread_id`, is: sql`q.id`, others })}
        from asked q order by id
      ) as threads,
      (select count(*)::int from (
        select from arrivals where ${ofSite} and ${isNear('arrived_at', minute)} ${others}
        order by arrived_at desc limit ${MAX_MINUTE}
      ) a) as site,
      array(
        select ${countSince(minute, { where: NETWORK_IS_KNOWN, key: sql`address_hash`, is: sql`n.hash`, others })}
        from unnest(${of.addressHashes}::bytea[]) with ordinality n (hash, ordinal) order by ordinal
      ) as networks,
      array(
        select ${countSince(day, { where: ofSite, key: sql`fingerprint`, is: sql`f.print`, others })}
        from unnest(${of.fingerprints}::bigint[]) with ordinality f (print, ordinal) order by ordinal
      ) as same,
      ${historiesOf(of)} as records,
      ${similarTextsOf(of)} as alike,
      array(
        select n.skeleton from unnest(${of.nameSkeletons}::text[]) n (skeleton)
        where exists (
          select from authors a where a.site_id = ${of.siteId} and a.name_skeleton = n.skeleton)
      ) as taken_names
    from moment`
}

/** The condition of the partial index. */
const NETWORK_IS_KNOWN = sql`address_hash is not null`

type CountCondition = {
  readonly where: Sql
  readonly key: Sql
  readonly is: Sql
  readonly others: Sql
}

/**
 * Compares key and time as one row value, in the order of the only index that fits. Compared one by one,
 * Postgres may choose another index by its estimates and read the whole day. The limit is a parameter, so
 * that the planner expects few rows. A clock that was set back leaves posts ahead of now: see `isNear`.
 */
const countSince = (span: Sql, { where, key, is, others }: CountCondition) => sql`(
  select count(*)::int from (
    select from arrivals where ${where} ${others}
      and (${key}, arrived_at) > (${is}, now - ${span}) and (${key}, arrived_at) <= (${is}, now + ${span})
    order by ${key} desc, arrived_at desc limit ${span === day ? MAX_COUNT : MAX_MINUTE}
  ) a)`

const historiesOf = ({ siteId, authorIds, exceptId }: Places) => {
  const count = (condition: Sql) => sql`(
    select count(*) from (
      select from comments c where c.site_id = ${siteId} and c.author_id = a.id
        and c.id <> ${exceptId}::bigint and ${condition} limit ${sql.lit(MAX_COUNT)}) c)`
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

const similarTextsOf = ({ siteId, authorIds, addressHashes, minHashes, exceptId }: Places) => {
  // The limit is a parameter, as in `countSince`: a plan from a day with few posts would sort the posts of every day.
  const latest = (condition: Sql, limit: number) => sql`
    select site_id, comment_id, fingerprint, sketch from arrivals
    where ${condition} and arrived_at > now - ${day}
    order by arrived_at desc limit ${limit}`
  return sql`(
    select string_agg(concat_ws(',', fingerprint, number, array_to_string(sketch, ',')), '],[') from (
      select fingerprint, min(sketch) as sketch, count(distinct comment_id) as number from (
        (${latest(sql`site_id = ${siteId}`, LATEST_OF_SITE)})
        union all
        select w.* from unnest(${authorIds}::bigint[]) as q (id) cross join lateral (
          ${latest(sql`site_id = ${siteId} and author_id = q.id`, LATEST_OF_WRITER)}) w
        union all
        select n.* from unnest(${addressHashes}::bytea[]) as q (hash) cross join lateral (
          ${latest(sql`address_hash = q.hash`, LATEST_OF_WRITER)}) n
      ) a
      where site_id = ${siteId} and comment_id <> ${exceptId}::bigint
        and sketch[1:${sql.lit(COMPARED_HASHES)}] && ${minHashes}::bigint[]
      group by fingerprint
    ) l)`
}

/** Reads `alike`: the insides of JSON arrays. JSON of Postgres would take half of the time that the facts take. */
export const toRecentTexts = (alike: string | null): RecentText[] =>
  (JSON.parse(`[${alike === null ? '' : `[${alike}]`}]`) as number[][]).map((text) => ({
    fingerprint: text[0]!,
    number: text[1]!,
    sketch: text.slice(2),
  }))

/** Two statements, because the indexes lack the id of the comment. */
const FACTS = prepare<FactsQuery, CountedFacts>((of) => writeFacts(of, sql``))
const FACTS_OF_OTHERS = prepare<FactsQuery, CountedFacts>((of) =>
  writeFacts(of, sql`and comment_id <> ${of.exceptId}::bigint`),
)

type Arrival = {
  readonly siteId: number
  readonly threadId: number
  readonly id: number
  readonly authorId: number
  readonly fingerprint: number
  readonly sketch: readonly number[]
}

/** Records the new text of an edited comment as a recent post. */
export const INSERT_ARRIVAL = prepare<Arrival, unknown>(
  (of) => sql`
    insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint, sketch,
      arrived_at)
    select c.site_id, c.id, c.thread_id, ${of.authorId}, d.address_hash, ${of.fingerprint},
      ${of.sketch}::bigint[], clock_timestamp()
    from comments c ${joinAddress}
    where c.site_id = ${of.siteId} and c.thread_id = ${of.threadId} and c.id = ${of.id}
    on conflict (site_id, comment_id) do update set fingerprint = excluded.fingerprint,
      sketch = excluded.sketch, arrived_at = excluded.arrived_at`,
)
