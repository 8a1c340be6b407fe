import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'
import { CONTINUES } from '../exporting/imported-ids.ts'
import { articleIdOf, articleKey } from '../threads/article-ids.ts'

type OfOrigin = { readonly siteId: number; readonly originId: number }

/** Whether a site has nothing that a restoration could mix with: no thread, no policy, no ban and no canned reason. */
export const isEmptySite = async (db: Db, siteId: number): Promise<boolean> => {
  const { rows } = await sql<{ is: boolean }>`
    select not exists (select from threads where site_id = ${siteId})
      and not exists (select from policies where site_id = ${siteId})
      and not exists (select from bans where site_id = ${siteId})
      and not exists (select from canned_reasons where site_id = ${siteId})
      and not exists (select from imported_records where site_id = ${siteId}) as "is"`.execute(db)
  return rows[0]!.is
}

export const hasThreads = async (db: Db, siteId: number): Promise<boolean> => {
  const { rows } = await sql<{ is: boolean }>`
    select exists (select from threads where site_id = ${siteId}) as "is"`.execute(db)
  return rows[0]!.is
}

/** Marks that the site continues the site of an export. */
export const markContinued = async (tx: Tx, { siteId, originId }: OfOrigin): Promise<void> => {
  await sql`
    insert into imported_records (site_id, origin_id, kind, source_id, row_id)
    values (${siteId}, ${originId}, ${CONTINUES}, 'site', ${siteId})`.execute(tx)
}

type Found = { readonly sourceId: string; readonly id: number }

export const findRestoredAuthors = async (
  db: Db,
  { siteId, originId, sourceIds }: OfOrigin & { readonly sourceIds: readonly string[] },
): Promise<Found[]> => {
  const { rows } = await sql<Found>`
    select source_id, author_id as id from imported_authors
    where site_id = ${siteId} and origin_id = ${originId} and source_id = any(${sourceIds}::text[])`.execute(
    db,
  )
  return rows
}

/** The ids among these that authors of the site have. */
export const filterAuthors = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select id from authors where site_id = ${siteId} and id = any(${ids}::bigint[])`.execute(db)
  return rows.map(({ id }) => id)
}

/** A comment that a line can name. */
export type RestoredComment = {
  readonly id: number
  readonly threadId: number
  readonly homeThreadId: number | null
  readonly depth: number
}

export const findRestoredComments = async (
  db: Db,
  { siteId, originId, sourceIds }: OfOrigin & { readonly sourceIds: readonly string[] },
): Promise<(RestoredComment & { readonly sourceId: string })[]> => {
  const { rows } = await sql<RestoredComment & { sourceId: string }>`
    select i.source_id, c.id, c.thread_id, c.home_thread_id, c.depth
    from imported_comments i
    cross join lateral (
      select h.id, h.thread_id, h.home_thread_id, h.depth from comments h
      where h.site_id = ${siteId} and h.thread_id = i.home_thread_id and h.id = i.comment_id
      union all
      select m.id, m.thread_id, m.home_thread_id, m.depth from comments m
      where m.site_id = ${siteId} and m.id = i.comment_id and m.home_thread_id is not null
        and m.thread_id <> i.home_thread_id
    ) c
    where i.site_id = ${siteId} and i.origin_id = ${originId} and i.source_id = any(${sourceIds}::text[])`.execute(
    db,
  )
  return rows
}

/** Comments by the threads in their public ids. */
export const findOwnComments = async (
  db: Db,
  siteId: number,
  keys: readonly { readonly threadId: number; readonly id: number }[],
): Promise<RestoredComment[]> => {
  const { rows } = await sql<RestoredComment>`
    select c.id, c.thread_id, c.home_thread_id, c.depth
    from unnest(${keys.map(({ threadId }) => threadId)}::bigint[], ${keys.map(({ id }) => id)}::bigint[])
      as wanted (home, id)
    join comments c on c.site_id = ${siteId} and c.id = wanted.id
      and (c.thread_id = wanted.home and c.home_thread_id is null or c.home_thread_id = wanted.home)`.execute(
    db,
  )
  return rows
}

export const findRestoredRecords = async (
  db: Db,
  {
    siteId,
    originId,
    kind,
    sourceIds,
  }: OfOrigin & { readonly kind: string; readonly sourceIds: readonly string[] },
): Promise<Found[]> => {
  const { rows } = await sql<Found>`
    select source_id, row_id as id from imported_records
    where site_id = ${siteId} and origin_id = ${originId} and kind = ${kind}
      and source_id = any(${sourceIds}::text[])`.execute(db)
  return rows
}

/** The tables of records that have ids. */
const TABLES = {
  ban: 'bans',
  batch: 'batches',
  decision: 'decisions',
  appeal: 'appeals',
  note: 'author_notes',
  reason: 'canned_reasons',
} as const
export type RestoredKind = keyof typeof TABLES

/** The ids among these that rows of the site have. */
export const filterRecords = async (
  db: Db,
  siteId: number,
  { kind, ids }: { readonly kind: RestoredKind; readonly ids: readonly number[] },
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select id from ${sql.table(TABLES[kind])} where site_id = ${siteId} and id = any(${ids}::bigint[])`.execute(
    db,
  )
  return rows.map(({ id }) => id)
}

const SEQUENCES = {
  author: 'authors_id_seq',
  comment: 'comments_id_seq',
  ban: 'bans_id_seq',
  batch: 'batches_id_seq',
  decision: 'decisions_id_seq',
  appeal: 'appeals_id_seq',
  note: 'author_notes_id_seq',
  reason: 'canned_reasons_id_seq',
} as const

/** New ids, in order. */
export const takeIds = async (
  db: Db,
  kind: keyof typeof SEQUENCES,
  count: number,
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select nextval(${sql.lit(SEQUENCES[kind])}) as id from generate_series(1, ${count}::int)`.execute(
    db,
  )
  return rows.map(({ id }) => id)
}

/** The threads of articles, or of the articles that their ids are aliases of. */
export const findThreadsOf = async (
  db: Db,
  siteId: number,
  articleIds: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await sql<{ articleId: string; id: number }>`
    select ${articleIdOf('threads')} as article_id, coalesce(alias_of, id) as id from threads
    where site_id = ${siteId} and article_id = any(${articleIds.map(articleKey)}::text[]) and deleted_at is null`.execute(
    db,
  )
  return new Map(rows.map(({ articleId, id }) => [articleId, id]))
}

export const findMembersBySubject = async (
  db: Db,
  siteId: number,
  subjects: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await sql<{ subject: string; id: number }>`
    select subject, id from authors
    where site_id = ${siteId} and subject = any(${subjects}::text[])`.execute(db)
  return new Map(rows.map(({ subject, id }) => [subject, id]))
}
