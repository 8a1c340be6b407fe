import { type RawBuilder, sql } from 'kysely'
import type { Facts } from '../../domain/screening/facts.ts'
import { COMPARED_HASHES } from '../../domain/screening/text-similarity.ts'
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
  /** For each author, the comment that does not count among the author's own; 0 for none. */
  readonly exceptOfAuthors: readonly number[]
  readonly addressHashes: readonly Buffer[]
  readonly fingerprints: readonly number[]
  /** The lowest MinHashes of each text. */
  readonly minHashes: readonly number[]
  /** Skeletons of the names of guests. */
  readonly nameSkeletons: readonly string[]
  /** Comments that are judged again. The counts contain their posts, which `stored` lists. */
  readonly againIds: readonly number[]
}

/** The part of the facts about an author's earlier comments. */
export type AuthorHistory = Omit<Facts['author'], 'kind' | 'role'> & {
  readonly id: number
  readonly exceptId: number
}

/** A text of the last day, and how many comments have it. */
export type RecentText = {
  readonly fingerprint: number
  /** The comment with the text if it is judged again, else 0. */
  readonly againId: number
  readonly sketch: readonly number[]
  readonly number: number
}

/** The recent post of a comment that is judged again, as the counts contain it. */
export type StoredArrival = {
  readonly id: number
  readonly threadId: number
  readonly fingerprint: number
  /** In Base64. */
  readonly addressHash: string | null
  readonly isOfMinute: boolean
  readonly isOfDay: boolean
}

/**
 * Counts for a `FactsQuery`; arrays follow the order of its lists. Every count is limited, to what judging needs and
 * the number of comments that are judged again.
 */
export type CountedFacts = Pick<Facts, 'at' | 'attackedUntil'> & {
  /** The threads that were found, as text, with the same order in the two lists about them. */
  readonly threadIds: readonly string[]
  readonly threads: readonly number[]
  readonly threadsSince: readonly Facts['threadSince'][]
  readonly site: number
  readonly networks: readonly number[]
  readonly same: readonly number[]
  readonly records: readonly AuthorHistory[]
  readonly stored: readonly StoredArrival[]
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
export const askFacts = (query: FactsQuery): Query<CountedFacts> => {
  const more = query.againIds.length
  return FACTS({ ...query, mostOfMinute: MAX_MINUTE + more, mostOfDay: MAX_COUNT + more })
}

/** The limits are values, so that the planner expects few rows. */
type LimitedQuery = FactsQuery & { readonly mostOfMinute: number; readonly mostOfDay: number }
type Sql = ReturnType<typeof sql>
type Places = { readonly [Key in keyof LimitedQuery]: RawBuilder<LimitedQuery[Key]> }

const FACTS = prepare<LimitedQuery, CountedFacts>((of) => {
  const ofSite = sql`site_id = ${of.siteId}`
  const inMinute = { span: minute, most: of.mostOfMinute }
  const inDay = { span: day, most: of.mostOfDay }
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
        select ${countSince({ ...inMinute, where: ofSite, key: sql`thread_id`, is: sql`q.id` })}
        from asked q order by id
      ) as threads,
      (select count(*)::int from (
        select from arrivals where ${ofSite} and ${isNear('arrived_at', minute)}
        order by arrived_at desc limit ${of.mostOfMinute}
      ) a) as site,
      array(
        select ${countSince({ ...inMinute, where: NETWORK_IS_KNOWN, key: sql`address_hash`, is: sql`n.hash` })}
        from unnest(${of.addressHashes}::bytea[]) with ordinality n (hash, ordinal) order by ordinal
      ) as networks,
      array(
        select ${countSince({ ...inDay, where: ofSite, key: sql`fingerprint`, is: sql`f.print` })}
        from unnest(${of.fingerprints}::bigint[]) with ordinality f (print, ordinal) order by ordinal
      ) as same,
      ${historiesOf(of)} as records,
      ${storedArrivalsOf(of)} as stored,
      ${similarTextsOf(of)} as alike,
      array(
        select n.skeleton from unnest(${of.nameSkeletons}::text[]) n (skeleton)
        where exists (
          select from authors a where a.site_id = ${of.siteId} and a.name_skeleton = n.skeleton)
      ) as taken_names
    from moment`
})

/** The condition of the partial index. */
const NETWORK_IS_KNOWN = sql`address_hash is not null`

type CountCondition = {
  readonly span: Sql
  readonly most: RawBuilder<number>
  readonly where: Sql
  readonly key: Sql
  readonly is: Sql
}

/**
 * Compares key and time as one row value, in the order of the only index that fits. Compared one by one,
 * Postgres may choose another index by its estimates and read the whole day. A clock that was set back leaves
 * posts ahead of now: see `isNear`.
 */
const countSince = ({ span, most, where, key, is }: CountCondition) => sql`(
  select count(*)::int from (
    select from arrivals where ${where}
      and (${key}, arrived_at) > (${is}, now - ${span}) and (${key}, arrived_at) <= (${is}, now + ${span})
    order by ${key} desc, arrived_at desc limit ${most}
  ) a)`

const historiesOf = ({ siteId, authorIds, exceptOfAuthors }: Places) => {
  const count = (condition: Sql) => sql`(
    select count(*) from (
      select from comments c where c.site_id = ${siteId} and c.author_id = a.id
        and c.id <> q.except_id and ${condition} limit ${sql.lit(MAX_COUNT)}) c)`
  return sql`(
    select coalesce(jsonb_agg(jsonb_build_object(
      'id', a.id,
      'exceptId', q.except_id,
      'emailDomain', substring(lower(a.email) from '@([^@]+)$'),
      'approved', ${count(isVisible('c.status'))},
      'recentApproved', ${count(sql`${isVisible('c.status')} and c.published_at > now - ${month}`)},
      'recentRejected', ${count(sql`c.status in ('spam', 'rejected') and c.created_at > now - ${month}`)}
    )), '[]')
    from unnest(${authorIds}::bigint[], ${exceptOfAuthors}::bigint[]) as q (id, except_id)
    join authors a on a.site_id = ${siteId} and a.id = q.id)`
}

const storedArrivalsOf = ({ siteId, againIds }: Places) => sql`(
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', r.comment_id,
    'threadId', r.thread_id,
    'fingerprint', r.fingerprint,
    'addressHash', encode(r.address_hash, 'base64'),
    'isOfMinute', ${isNear('r.arrived_at', minute)},
    'isOfDay', ${isNear('r.arrived_at', day)}
  )), '[]')
  from unnest(${againIds}::bigint[]) as q (id) cross join lateral (
    select * from arrivals where site_id = ${siteId} and comment_id = q.id offset 0
  ) r)`

const similarTextsOf = ({ siteId, authorIds, addressHashes, minHashes, againIds }: Places) => {
  // The limit is a parameter, as in `countSince`: a plan from a day with few posts would sort the posts of every day.
  const latest = (condition: Sql, limit: number) => sql`
    select site_id, comment_id, fingerprint, sketch from arrivals
    where ${condition} and arrived_at > now - ${day}
    order by arrived_at desc limit ${limit}`
  return sql`(
    select string_agg(concat_ws(',', fingerprint, again_id, number, array_to_string(sketch, ',')), '],[') from (
      select fingerprint, case when comment_id = any(${againIds}::bigint[]) then comment_id else 0 end as again_id,
        min(sketch) as sketch, count(distinct comment_id) as number from (
        (${latest(sql`site_id = ${siteId}`, LATEST_OF_SITE)})
        union all
        select w.* from unnest(${authorIds}::bigint[]) as q (id) cross join lateral (
          ${latest(sql`site_id = ${siteId} and author_id = q.id`, LATEST_OF_WRITER)}) w
        union all
        select n.* from unnest(${addressHashes}::bytea[]) as q (hash) cross join lateral (
          ${latest(sql`address_hash = q.hash`, LATEST_OF_WRITER)}) n
      ) a
      where site_id = ${siteId} and sketch[1:${sql.lit(COMPARED_HASHES)}] && ${minHashes}::bigint[]
      group by fingerprint, again_id
    ) l)`
}

/** Reads `alike`: the insides of JSON arrays. JSON of Postgres would take half of the time that the facts take. */
export const toRecentTexts = (alike: string | null): RecentText[] =>
  (JSON.parse(`[${alike === null ? '' : `[${alike}]`}]`) as number[][]).map((text) => ({
    fingerprint: text[0]!,
    againId: text[1]!,
    number: text[2]!,
    sketch: text.slice(3),
  }))
