import { sql } from 'kysely'
import type { Db, Tx } from '../connection/db.ts'
import type { ArticleThread } from './aliases.ts'
import { articleColumnsOf, articleIdOf, articleKey } from './article-ids.ts'
import { nextVersion } from './threads.ts'

/**
 * Exchanges the ids of a thread and of its alias: the thread gets `articleId`, and `former` becomes the alias. A bare
 * alias then belongs to this thread, whatever an undo restores. The caller holds the exclusive lock of the thread.
 * No article can have the name that the alias has in between.
 */
export const exchangeIds = async (
  tx: Tx,
  at: { siteId: number; threadId: number; articleId: string; former: string },
): Promise<void> => {
  const { siteId, threadId, articleId, former } = at
  const { rows } = await sql<{ id: number }>`
    update threads set article_id = ${'\u007f'} || gen_random_uuid(), long_article_id = null
    where site_id = ${siteId} and article_id = ${articleKey(articleId)} and alias_of = ${threadId}
    returning id`.execute(tx)
  await sql`
    update threads set ${named(articleId)},
      version = case when version > 0 then ${nextVersion} else 0 end
    where site_id = ${siteId} and id = ${threadId}`.execute(tx)
  await sql`
    update threads set ${named(former)},
      alias_via = case when is_bare then alias_of else alias_via end
    where site_id = ${siteId} and id = ${rows[0]!.id}`.execute(tx)
}

const named = (articleId: string) => {
  const { articleId: key, longArticleId } = articleColumnsOf(articleId)
  return sql`article_id = ${key}, long_article_id = ${longArticleId}`
}

/** A part of the threads of a site, in order of their ids. */
export type ThreadRange = {
  readonly afterId: number
  readonly upToId: number
  readonly limit: number
}

/** Lists threads with their own article ids. Aliases and deleted threads are none. */
export const listOwnIds = async (
  db: Db,
  siteId: number,
  { afterId, upToId, limit }: ThreadRange,
): Promise<ArticleThread[]> => {
  const { rows } = await sql<ArticleThread>`
    select id, ${articleIdOf('threads')} as article_id from threads
    where site_id = ${siteId} and id > ${afterId} and id <= ${upToId}
      and alias_of is null and deleted_at is null
    order by id limit ${limit}`.execute(db)
  return rows
}

/** How many threads a site has now, and the last of them. */
export const countThreads = async (
  db: Db,
  siteId: number,
): Promise<{ number: number; lastId: number }> => {
  const { rows } = await sql<{ number: number; lastId: number }>`
    select count(*)::int as number, coalesce(max(id), 0) as last_id from threads
    where site_id = ${siteId} and alias_of is null and deleted_at is null`.execute(db)
  return rows[0]!
}

/** A thread that an article id names, and whether it has comments of any status. */
export type NamedThread = ArticleThread & { readonly name: string; readonly isFilled: boolean }

/** Finds the threads that article ids name. */
export const listNamedThreads = async (
  db: Db,
  siteId: number,
  names: readonly string[],
): Promise<NamedThread[]> => {
  const { rows } = await sql<NamedThread>`
    select ${articleIdOf('a')} as name, t.id, ${articleIdOf('t')} as article_id, exists (
      select from comments c where c.site_id = ${siteId} and c.thread_id = t.id) as is_filled
    from threads a join threads t on t.site_id = ${siteId} and t.id = coalesce(a.alias_of, a.id)
    where a.site_id = ${siteId} and a.article_id = any(${names.map(articleKey)}::text[])`.execute(
    db,
  )
  return rows
}
