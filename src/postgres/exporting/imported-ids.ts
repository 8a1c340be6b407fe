import { sql } from 'kysely'
import type { IdKind } from '../../domain/public-id.ts'
import type { Db } from '../connection/db.ts'
import { commentOf, type ExportPage } from './exported-rows.ts'

/** The origin whose export filled this site while it was empty. */
export type Continued = { readonly originId: number; readonly origin: string }

/** The kind under which `imported_records` remembers that a site continues another one. */
export const CONTINUES = 'site'

export const findContinued = async (db: Db, siteId: number): Promise<Continued | undefined> => {
  const { rows } = await sql<Continued>`
    select o.id as origin_id, o.origin from imported_records r
    join import_origins o on o.site_id = ${siteId} and o.id = r.origin_id
    where r.site_id = ${siteId} and r.kind = ${CONTINUES}
    order by r.origin_id limit 1`.execute(db)
  return rows[0]
}

type OfOrigin = { readonly siteId: number; readonly originId: number }
export type SourceId = { readonly id: number; readonly sourceId: string }

/** The ids that authors had in an origin. Several, if one author took over the comments of others. */
export const findSourcesOfAuthors = async (
  db: Db,
  { siteId, originId, ids }: OfOrigin & { readonly ids: readonly number[] },
): Promise<SourceId[]> => {
  const { rows } = await sql<SourceId>`
    select author_id as id, source_id from imported_authors
    where site_id = ${siteId} and origin_id = ${originId} and author_id = any(${ids}::bigint[])
    order by source_id collate "C"`.execute(db)
  return rows
}

export const findSourcesOfComments = async (
  db: Db,
  { siteId, originId, ids }: OfOrigin & { readonly ids: readonly number[] },
): Promise<SourceId[]> => {
  const { rows } = await sql<SourceId>`
    select comment_id as id, source_id from imported_comments
    where site_id = ${siteId} and origin_id = ${originId} and comment_id = any(${ids}::bigint[])`.execute(
    db,
  )
  return rows
}

export const findSourcesOfRecords = async (
  db: Db,
  {
    siteId,
    originId,
    kind,
    ids,
  }: OfOrigin & { readonly kind: IdKind; readonly ids: readonly number[] },
): Promise<SourceId[]> => {
  const { rows } = await sql<SourceId>`
    select row_id as id, source_id from imported_records
    where site_id = ${siteId} and origin_id = ${originId} and kind = ${kind}
      and row_id = any(${ids}::bigint[])`.execute(db)
  return rows
}

/** The place of an id of another system in the list of all of them. */
type After = { readonly originId: number; readonly sourceId: string }
type Page = ExportPage<After> & { readonly exceptOriginId: number }

/** The rows `i` after a place. A page is cut before its joins, because a plan without statistics would sort all rows. */
const rowsAfter = ({ siteId, after, exceptOriginId }: Page) => sql`
  where i.site_id = ${siteId} and i.origin_id <> ${exceptOriginId}
    and (i.origin_id, i.source_id) > (${after.originId}, ${after.sourceId})`

export type ExportedAuthorId = After & {
  readonly origin: string
  readonly authorId: number
  readonly profileHash: string
}

/** The ids of authors in other systems, apart from the system that the site continues. */
export const listImportedAuthors = async (db: Db, page: Page): Promise<ExportedAuthorId[]> => {
  const { siteId, limit } = page
  const pageOf = rowsAfter(page)
  const { rows } = await sql<ExportedAuthorId>`
    select i.origin_id, i.source_id, o.origin, i.author_id, i.profile_hash::text as profile_hash
    from (
      select * from imported_authors i ${pageOf}
      order by i.origin_id, i.source_id limit ${limit}
    ) i
    join import_origins o on o.site_id = ${siteId} and o.id = i.origin_id
    order by i.origin_id, i.source_id`.execute(db)
  return rows
}

export type ExportedCommentId = After & {
  readonly origin: string
  readonly commentId: number
  readonly homeThreadId: number
  readonly textHash: string
  readonly status: string
  readonly upvotes: number
  readonly downvotes: number
  readonly pinned: boolean
}

export const listImportedComments = async (db: Db, page: Page): Promise<ExportedCommentId[]> => {
  const { siteId, limit } = page
  const pageOf = rowsAfter(page)
  const { rows } = await sql<ExportedCommentId>`
    select i.origin_id, i.source_id, o.origin, c.id as comment_id, c.home as home_thread_id, i.text_hash::text as text_hash,
      i.status, i.upvotes, i.downvotes, i.pinned
    from (
      select * from imported_comments i ${pageOf}
      order by i.origin_id, i.source_id limit ${limit}
    ) i
    join import_origins o on o.site_id = ${siteId} and o.id = i.origin_id
    cross join lateral (${commentOf(sql`i.home_thread_id`, sql`i.comment_id`, siteId)}) c
    order by i.origin_id, i.source_id`.execute(db)
  return rows
}
