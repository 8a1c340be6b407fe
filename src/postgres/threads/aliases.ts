import { type RawBuilder, sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'
import { articleColumnsOf, articleIdOf, articleKey } from './article-ids.ts'

/** The thread of an article, by its own id or by an alias. */
export const threadIdOf = (siteId: number, articleId: string): RawBuilder<unknown> => sql`(
  select coalesce(alias_of, id) from threads where site_id = ${siteId} and article_id = ${articleKey(articleId)})`

/** The row of an article id: a thread, or an alias of one. */
export type ArticleRow = {
  readonly id: number
  /** The thread that the id names. Null if the row is a thread itself. */
  readonly aliasOf: number | null
  /** An alias that never was a thread. */
  readonly isBare: boolean
}

export const findArticleRow = (
  db: Db,
  siteId: number,
  articleId: string,
): Promise<ArticleRow | undefined> =>
  db
    .selectFrom('threads')
    .select(['id', 'aliasOf', 'isBare'])
    .where('siteId', '=', siteId)
    .where('articleId', '=', articleKey(articleId))
    .executeTakeFirst()

/** The article's own id, and the thread that it names. */
export type ArticleThread = { readonly id: number; readonly articleId: string }

/** Finds the thread that an id names, visible or not. */
export const findArticleThread = async (
  db: Db,
  siteId: number,
  articleId: string,
): Promise<ArticleThread | undefined> => {
  const { rows } = await sql<ArticleThread>`
    select id, ${articleIdOf('threads')} as article_id from threads
    where site_id = ${siteId} and id = ${threadIdOf(siteId, articleId)}`.execute(db)
  return rows[0]
}

type Alias = { readonly siteId: number; readonly threadId: number }

/** Inserts an alias of an id that is new. @returns its row; undefined if the id exists by now */
export const insertAlias = async (
  tx: Tx,
  { siteId, threadId, articleId }: Alias & { readonly articleId: string },
): Promise<number | undefined> => {
  const { articleId: key, longArticleId } = articleColumnsOf(articleId)
  const { rows } = await sql<{ id: number }>`
    insert into threads (site_id, article_id, long_article_id, alias_of, alias_via, is_bare)
    values (${siteId}, ${key}, ${longArticleId}, ${threadId}, ${threadId}, true)
    on conflict (site_id, article_id) do nothing returning id`.execute(tx)
  return rows[0]?.id
}

/**
 * Makes a thread without comments an alias of another, and its aliases with it, so that no alias names an
 * alias. The caller holds the exclusive locks of both threads.
 */
export const turnIntoAlias = async (
  tx: Tx,
  { siteId, threadId, id }: Alias & { readonly id: number },
): Promise<void> => {
  await sql`
    update threads set alias_of = ${threadId}, alias_via = case when id = ${id} then ${threadId} else alias_via end
    where site_id = ${siteId} and (id = ${id} or alias_of = ${id})`.execute(tx)
}

/** Ends an alias. The aliases that came with it stay; its id has no comments from now on. */
export const deleteAlias = async (
  tx: Tx,
  { siteId, threadId, id }: Alias & { readonly id: number },
): Promise<void> => {
  await sql`
    update threads set alias_via = (select alias_via from threads where site_id = ${siteId} and id = ${id})
    where site_id = ${siteId} and alias_of = ${threadId} and alias_via = ${id}`.execute(tx)
  await sql`
    delete from threads where site_id = ${siteId} and id = ${id} and is_bare`.execute(tx)
  await sql`
    update threads set alias_of = null, alias_via = null where site_id = ${siteId} and id = ${id}`.execute(
    tx,
  )
}

/**
 * Makes an alias a thread again, with the aliases that it had. Does nothing if the row is a thread. The caller
 * holds the exclusive lock of the row.
 * @returns the thread that the alias named; undefined if it was a thread
 */
export const restoreAliased = async (
  tx: Tx,
  siteId: number,
  id: number,
): Promise<number | undefined> => {
  const { rows } = await sql<{ aliasOf: number }>`
    select alias_of from threads
    where site_id = ${siteId} and id = ${id} and alias_of is not null`.execute(tx)
  const former = rows[0]?.aliasOf
  if (former === undefined) return undefined
  await sql`
    with recursive own as (
      select ${id}::bigint as id
      union
      select t.id from own join threads t on t.site_id = ${siteId} and t.alias_of = ${former}
        and t.alias_via = own.id
    )
    update threads set alias_of = nullif(${id}::bigint, id),
      alias_via = case when id <> ${id} then alias_via end
    where site_id = ${siteId} and id in (select id from own)`.execute(tx)
  return former
}

/** Frees the aliases of a thread that is deleted. */
export const freeAliases = async (tx: Tx, { siteId, threadId }: Alias): Promise<void> => {
  await sql`
    delete from threads where site_id = ${siteId} and alias_of = ${threadId} and is_bare`.execute(
    tx,
  )
  await sql`
    update threads set alias_of = null, alias_via = null
    where site_id = ${siteId} and alias_of = ${threadId}`.execute(tx)
}

export type ListedAlias = { readonly id: number; readonly articleId: string }

/** Lists `limit + 1` aliases of a thread, in order of their rows. */
export const listAliases = async (
  db: Db,
  { siteId, threadId, afterId, limit }: Alias & { afterId: number; limit: number },
): Promise<ListedAlias[]> => {
  const { rows } = await sql<ListedAlias>`
    select id, ${articleIdOf('threads')} as article_id from threads
    where site_id = ${siteId} and alias_of = ${threadId} and id > ${afterId}
    order by id limit ${limit + 1}`.execute(db)
  return rows
}

export const countAliases = async (db: Db, { siteId, threadId }: Alias): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from threads where site_id = ${siteId} and alias_of = ${threadId}`.execute(
    db,
  )
  return rows[0]!.n
}
