import { sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { StoredPlace } from '../../domain/importing/place-comments.ts'
import { isVisible } from '../comments/visible.ts'
import type { Db } from '../connection/db.ts'
import { articleIdOf, articleKey } from '../threads/article-ids.ts'

type From = { readonly siteId: number; readonly originId: number }

/** An imported comment, and what the last import said of it. */
export type Imported = {
  readonly sourceId: string
  readonly importId: number
  readonly homeThreadId: number
  readonly commentId: number
  readonly textHash: number
  readonly status: Status
  readonly upvotes: number
  readonly downvotes: number
  readonly pinned: boolean
}

export const findImportedComments = async (
  db: Db,
  { siteId, originId }: From,
  sourceIds: readonly string[],
): Promise<ReadonlyMap<string, Imported>> => {
  const { rows } = await sql<Imported>`
    select source_id, import_id, home_thread_id, comment_id, text_hash, status, upvotes, downvotes, pinned
    from imported_comments
    where site_id = ${siteId} and origin_id = ${originId} and source_id = any(${sourceIds}::text[])`.execute(
    db,
  )
  return new Map(rows.map((row) => [row.sourceId, row]))
}

export type ImportedAuthor = {
  readonly sourceId: string
  readonly authorId: number
  readonly profileHash: number
  readonly isErased: boolean
  readonly isGuest: boolean
}

export const findImportedAuthors = async (
  db: Db,
  { siteId, originId }: From,
  sourceIds: readonly string[],
): Promise<ReadonlyMap<string, ImportedAuthor>> => {
  const { rows } = await sql<ImportedAuthor>`
    select i.source_id, i.author_id, i.profile_hash, a.erased_at is not null as is_erased,
      a.kind = 'guest' as is_guest
    from imported_authors i join authors a on a.site_id = ${siteId} and a.id = i.author_id
    where i.site_id = ${siteId} and i.origin_id = ${originId} and i.source_id = any(${sourceIds}::text[])`.execute(
    db,
  )
  return new Map(rows.map((row) => [row.sourceId, row]))
}

/** Comments of threads with all their ancestors. The caller holds the thread locks. */
export const findPlaces = async (
  db: Db,
  siteId: number,
  comments: readonly { readonly threadId: number; readonly id: number }[],
): Promise<(StoredPlace & { readonly threadId: number })[]> => {
  const { rows } = await sql<StoredPlace & { threadId: number }>`
    with recursive lines as (
      select c.thread_id, c.id, c.parent_id, c.depth, c.home_thread_id, c.status
      from unnest(${comments.map(({ threadId }) => threadId)}::bigint[],
        ${comments.map(({ id }) => id)}::bigint[]) as wanted (thread_id, id)
      join comments c on c.site_id = ${siteId} and c.thread_id = wanted.thread_id and c.id = wanted.id
      union
      select p.thread_id, p.id, p.parent_id, p.depth, p.home_thread_id, p.status
      from lines l join comments p
        on p.site_id = ${siteId} and p.thread_id = l.thread_id and p.id = l.parent_id
    )
    select l.thread_id, l.id, l.parent_id, l.depth, l.home_thread_id, ${isVisible('l.status')} as is_visible,
      k.created_at, k.reply_count, k.active_at
    from lines l cross join lateral (
      select created_at, reply_count, active_at from comment_tallies k
      where k.site_id = ${siteId} and k.thread_id = l.thread_id and k.comment_id = l.id offset 0
    ) k`.execute(db)
  return rows
}

/** The ids of the threads of articles, which an alias can name. */
export const findThreadsOfArticles = async (
  db: Db,
  siteId: number,
  articleIds: readonly string[],
): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await sql<{ articleId: string; id: number }>`
    select ${articleIdOf('threads')} as article_id, coalesce(alias_of, id) as id from threads
    where site_id = ${siteId} and article_id = any(${articleIds.map(articleKey)}::text[])`.execute(
    db,
  )
  return new Map(rows.map(({ articleId, id }) => [articleId, id]))
}
