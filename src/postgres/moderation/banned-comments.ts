import { type RawBuilder, sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { BanSubject } from '../../domain/moderation/ban.ts'
import type { Tx } from '../connection/db.ts'
import { ranges } from '../jobs/batch-items.ts'
import type { Batch } from '../jobs/batches.ts'

type Id = Pick<Batch, 'siteId' | 'id'>
type Statuses = readonly Status[]

/** One statement reads this many authors. */
const AUTHORS_PER_RANGE = 10_000

/**
 * Adds the earlier comments of banned writers to a batch, without those of staff. Comments whose address
 * retention has deleted cannot be found by a network.
 */
export const insertItemsOfBanned = async (
  tx: Tx,
  batch: Id,
  banned: { target: BanSubject; statuses: Statuses; appliesTo: (email: string) => boolean },
): Promise<void> => {
  const { target, statuses, appliesTo } = banned
  if (target.kind === 'author')
    return insertItemsOfAuthors(tx, batch, { authorIds: [target.authorId], statuses })
  if (target.kind === 'network') return insertItemsOfNetwork(tx, batch, { target, statuses })
  for await (const authors of listAuthorsOf(tx, batch.siteId, target.domain)) {
    const authorIds = authors.filter(({ email }) => appliesTo(email)).map(({ id }) => id)
    if (authorIds.length > 0) await insertItemsOfAuthors(tx, batch, { authorIds, statuses })
  }
}

/**
 * Authors whose e-mail may be at a domain or a subdomain, range by range: the e-mail contains the domain, or
 * is in another script.
 */
async function* listAuthorsOf(
  tx: Tx,
  siteId: number,
  domain: string,
): AsyncGenerator<{ id: number; email: string }[]> {
  for (let after = 0; ; ) {
    const { rows } = await sql<{ last: number | null; found: { id: number; email: string }[] }>`
      select max(id) as last, coalesce(jsonb_agg(jsonb_build_object('id', id, 'email', email))
        filter (where position(${domain} in lower(email)) > 0 or email ~ '[^ -~]'), '[]') as found
      from (
        select id, email from authors where site_id = ${siteId} and id > ${after}
        order by id limit ${AUTHORS_PER_RANGE}
      ) a`.execute(tx)
    const { last, found } = rows[0]!
    if (last === null) return
    yield found
    after = last
  }
}

/** Reads one status after the other, so that each uses its index. */
const insertItemsOfAuthors = async (
  tx: Tx,
  batch: Id,
  { authorIds, statuses }: { authorIds: readonly number[]; statuses: Statuses },
): Promise<void> => {
  for (const status of statuses)
    await insertItems(tx, batch, {
      status,
      isWanted: sql`c.author_id = any(${authorIds}::bigint[])`,
    })
}

const insertItemsOfNetwork = async (
  tx: Tx,
  batch: Id,
  {
    target: { network, addressHashes },
    statuses,
  }: { target: BanSubject & { kind: 'network' }; statuses: Statuses },
): Promise<void> => {
  const isWithin = sql`case when d.network <> 'unknown' then d.network::inet <<= network(${network}::inet) end`
  for (const status of statuses)
    for await (const [after, last] of ranges(tx, batch.siteId, status))
      await insertItems(tx, batch, {
        status,
        isWanted: sql`c.id > ${after} and c.id <= ${last}
          and exists (
            select from comment_addresses d
            where d.site_id = ${batch.siteId} and d.written_at = c.created_at and d.comment_id = c.id
              and (d.address_hash = any(${addressHashes}::bytea[]) or ${isWithin}))`,
      })
}

const insertItems = async (
  tx: Tx,
  { siteId, id: batchId }: Id,
  { status, isWanted }: { status: Status; isWanted: RawBuilder<unknown> },
): Promise<void> => {
  await sql`
    insert into batch_items (site_id, batch_id, thread_id, comment_id, place, seen)
    select ${siteId}, ${batchId}, c.thread_id, c.id, 0, c.status
    from comments c join authors a on a.site_id = c.site_id and a.id = c.author_id
    where c.site_id = ${siteId} and c.status = ${sql.lit(status)} and ${isWanted}
      and a.role not in ('moderator', 'owner')`.execute(tx)
}
