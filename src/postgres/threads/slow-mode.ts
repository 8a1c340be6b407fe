import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { isNear } from '../connection/clock.ts'
import type { Db, Tx } from '../connection/db.ts'

/** The author of a post: known by the token, and a guest also by the network, because a guest can have many tokens. */
export type Poster = {
  readonly authorId: number | undefined
  /** Null for a member, and for an unknown network. */
  readonly addressHash: Buffer | null
}

/** How long an author still has to wait, and until when. */
export type Wait = { readonly seconds: number; readonly until: Instant }

type Pace = { readonly siteId: number; readonly threadId: number; readonly seconds: number }

/**
 * Locks networks in this thread until the transaction ends, so that posts from them wait. The row of an author
 * with a token is locked already. Every write locks networks after authors and before threads, in ascending
 * order.
 */
export const lockNetworks = async (
  tx: Tx,
  { siteId, threadId }: Omit<Pace, 'seconds'>,
  addressHashes: readonly Buffer[],
): Promise<void> => {
  await sql`
    select pg_advisory_xact_lock(key) from (
      select hashtextextended(${`pace ${siteId} ${threadId} `} || encode(hash, 'hex'), 0) as key
      from unnest(${addressHashes}::bytea[]) as n (hash) order by key
    ) keys`.execute(tx)
}

/**
 * Reads how long authors still have to wait between two comments, whatever the status of the earlier one. No wait is
 * longer than the setting: a clock that was set back leaves comments ahead of now, and those further ahead than
 * the setting do not count.
 * @returns in the order of the posters; undefined for each that need not wait
 */
export const findWaits = async (
  db: Db,
  { siteId, threadId, seconds }: Pace,
  posters: readonly Poster[],
): Promise<(Wait | undefined)[]> => {
  const span = sql`${seconds} * interval '1 second'`
  const lately = (condition: ReturnType<typeof sql>) => sql`
    select c.created_at from arrivals a
    join comments c on c.site_id = a.site_id and c.thread_id = a.thread_id and c.id = a.comment_id
    join authors w on w.site_id = c.site_id and w.id = c.author_id
    where a.site_id = ${siteId} and a.thread_id = ${threadId} and ${isNear('a.arrived_at', span)}
      and ${isNear('c.created_at', span)} and ${condition}`
  const { rows } = await sql<Wait & { place: number }>`
    with moment as materialized (select clock_timestamp() as now)
    select q.place, ceil(extract(epoch from least(max(l.created_at), now) + ${span} - now))::int as seconds,
      least(max(l.created_at), now) + ${span} as until
    from moment, unnest(${posters.map(({ authorId }) => authorId ?? null)}::bigint[],
      ${posters.map(({ addressHash }) => addressHash)}::bytea[])
      with ordinality as q (author_id, address_hash, place)
    cross join lateral (
      ${lately(sql`a.author_id = q.author_id`)}
      union all
      ${lately(sql`a.address_hash = q.address_hash and w.kind = 'guest'`)}
    ) l
    group by q.place, now`.execute(db)
  const byPlace = new Map(rows.map(({ place, ...wait }) => [place, wait]))
  return posters.map((_, i) => byPlace.get(i + 1))
}
