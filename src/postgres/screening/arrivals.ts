import { sql } from 'kysely'
import { joinAddress } from '../comments/addresses.ts'
import { prepare, type Query } from '../connection/prepared.ts'

/** The new text of an edited comment. */
export type Arrival = {
  readonly threadId: number
  readonly id: number
  readonly authorId: number
  readonly fingerprint: number
  readonly sketch: readonly number[]
}

/** The statement that records the new texts of edited comments as recent posts. */
export const insertArrivals = (siteId: number, arrivals: readonly Arrival[]): Query =>
  INSERT_ARRIVALS({
    siteId,
    threadIds: arrivals.map(({ threadId }) => threadId),
    ids: arrivals.map(({ id }) => id),
    authorIds: arrivals.map(({ authorId }) => authorId),
    fingerprints: arrivals.map(({ fingerprint }) => fingerprint),
    sketches: arrivals.map(({ sketch }) => `{${sketch.join()}}`),
  })

type ArrivalColumns = {
  readonly siteId: number
  readonly threadIds: readonly number[]
  readonly ids: readonly number[]
  readonly authorIds: readonly number[]
  readonly fingerprints: readonly number[]
  readonly sketches: readonly string[]
}

const INSERT_ARRIVALS = prepare<ArrivalColumns, unknown>(
  (of) => sql`
    insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint, sketch,
      arrived_at)
    select c.site_id, c.id, c.thread_id, n.author_id, d.address_hash, n.fingerprint, n.sketch::bigint[],
      clock_timestamp()
    from unnest(${of.threadIds}::bigint[], ${of.ids}::bigint[], ${of.authorIds}::bigint[],
      ${of.fingerprints}::bigint[], ${of.sketches}::text[]) as n (thread_id, id, author_id, fingerprint, sketch)
    cross join lateral (
      select * from comments c where c.site_id = ${of.siteId} and c.thread_id = n.thread_id and c.id = n.id offset 0
    ) c ${joinAddress}
    on conflict (site_id, comment_id) do update set thread_id = excluded.thread_id,
      author_id = excluded.author_id, address_hash = excluded.address_hash, fingerprint = excluded.fingerprint,
      sketch = excluded.sketch, arrived_at = excluded.arrived_at`,
)
