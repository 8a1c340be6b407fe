import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { Db, Tx } from '../connection/db.ts'

/** A person who posts: by its token, and a guest by its network too, because anybody can be several. */
export type Poster = {
  readonly authorId: number | undefined
  /** Null for a member. */
  readonly addressHash: Buffer | null
}

/** How long somebody still has to wait, and until when. */
export type Wait = { readonly seconds: number; readonly until: Instant }

type Pace = { readonly siteId: number; readonly threadId: number; readonly seconds: number }

/**
 * Keeps others from posting in this thread from these networks until the transaction ends. Who has a
 * token holds its author already. Comes after authors and before threads in the order of every
 * writer, and takes networks in an order of their own.
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
 * What is left of the time between two comments of one person, whatever became of the comment before.
 * @returns in the order of the posters; undefined for those who need not wait
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
    where a.site_id = ${siteId} and a.thread_id = ${threadId} and a.arrived_at > now - ${span}
      and c.created_at > now - ${span} and ${condition}`
  const { rows } = await sql<Wait & { place: number }>`
    with moment as materialized (select clock_timestamp() as now)
    select q.place, ceil(extract(epoch from max(l.created_at) + ${span} - now))::int as seconds,
      max(l.created_at) + ${span} as until
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
