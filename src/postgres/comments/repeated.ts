import { sql } from 'kysely'
import { isNear } from '../connection/clock.ts'
import type { Tx } from '../connection/db.ts'
import type { GuestProfile } from '../people/authors.ts'

/** How long after a comment the same text by the same writer counts as a double click. */
const SPAN = sql`interval '30 seconds'`
const NOW = sql`clock_timestamp()`

/** A post as it is compared with earlier ones. */
export type Repeatable = {
  readonly threadId: number
  /** 0 for a root. */
  readonly parentId: number
  /** Null for a new guest. */
  readonly authorId: number | null
  readonly guest: (GuestProfile & { readonly addressHash: Buffer | null }) | null
  readonly body: string
  readonly fingerprint: number
}

/**
 * Finds for each post the comment of the last 30 seconds that it repeats: the same text by the same writer in the
 * same thread under the same parent, unless it was deleted since.
 * @returns in the order of the posts, with the thread's version; undefined for a post that repeats none
 */
export const findRepeated = async (
  tx: Tx,
  siteId: number,
  posts: readonly Repeatable[],
): Promise<({ id: number; version: number } | undefined)[]> => {
  const guests = posts.map(({ guest }) => guest)
  const { rows } = await sql<{ id: number | null; version: number }>`
    select (
      select min(c.id) from arrivals r
      join comments c on c.site_id = r.site_id and c.thread_id = r.thread_id and c.id = r.comment_id
      join authors a on a.site_id = c.site_id and a.id = c.author_id
      where r.site_id = ${siteId} and r.fingerprint = p.fingerprint
        and ${isNear('r.arrived_at', SPAN, NOW)} and ${isNear('c.created_at', SPAN, NOW)}
        and c.thread_id = p.thread_id and c.parent_id = p.parent_id and c.body = p.body
        and c.status <> 'deleted'
        and case when p.author_id is not null then c.author_id = p.author_id
          else a.kind = 'guest' and r.address_hash = p.address_hash
            and (a.name, a.url, a.email) is not distinct from (p.name, p.url, p.email) end
    ) as id,
    (select version from threads where site_id = ${siteId} and id = p.thread_id) as version
    from unnest(
      ${posts.map(({ threadId }) => threadId)}::bigint[],
      ${posts.map(({ parentId }) => parentId)}::bigint[],
      ${posts.map(({ authorId }) => authorId)}::bigint[],
      ${guests.map((guest) => guest?.addressHash)}::bytea[],
      ${guests.map((guest) => guest?.name)}::text[],
      ${guests.map((guest) => guest?.url)}::text[],
      ${guests.map((guest) => guest?.email)}::text[],
      ${posts.map(({ body }) => body)}::text[],
      ${posts.map(({ fingerprint }) => fingerprint)}::bigint[]
    ) with ordinality as p (thread_id, parent_id, author_id, address_hash, name, url, email, body, fingerprint, place)
    order by p.place`.execute(tx)
  return rows.map(({ id, version }) => (id === null ? undefined : { id, version }))
}
