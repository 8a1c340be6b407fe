import { sql } from 'kysely'
import type { Facts } from '../../domain/screening/facts.ts'
import { prepare } from '../connection/prepared.ts'
import { forEachWaiting, orSkip } from '../connection/transaction.ts'
import { storedBans } from '../screening/stored-judgements.ts'
import { articleIdOf, keyOf, keysOf } from '../threads/article-ids.ts'
import { forWrite, type ThreadForWrite } from '../threads/threads.ts'
import { joinCommentOfTally } from './rows.ts'
import { isVisible, isVisibleOrShadowed } from './visible.ts'

/** A thread, and the id by which the posts name its article: an alias or its own. */
export type AskedThread = ThreadForWrite & { readonly askedId: string }

/** A visible comment that a post can reply to. */
export type Parent = {
  readonly id: number
  readonly threadId: number
  readonly homeThreadId: number | null
  readonly depth: number
  readonly locked: boolean
  readonly authorId: number
  /** The bans that shadow the comment. Empty if every reader sees it. */
  readonly shadows: Facts['bans']
}

type Found = AskedThread & {
  [K in keyof Parent as `parent${Capitalize<K>}`]: Parent[K] | null
} & {
  readonly busyTexts: readonly string[]
}

type PostedInto = {
  readonly siteId: number
  readonly articleIds: readonly string[]
  /** The articles and ids of the parents, without duplicates. */
  readonly parentArticles: readonly string[]
  readonly parentIds: readonly number[]
  readonly textHashes: readonly number[]
}

/** The threads with the articles of posts as their own ids. */
const THREADS = {
  rows: sql`threads`,
  ids: { thread: sql`t.id`, asked: articleIdOf('threads'), key: sql`article_id` },
  isNamed: sql`alias_of is null`,
}

/** The threads with the articles of posts as their own ids or as aliases. */
const NAMED_THREADS = {
  rows: sql`(
    select r.*, ${articleIdOf('a')} as asked_id, a.article_id as asked_key
    from threads a join threads r on r.site_id = a.site_id and r.id = coalesce(a.alias_of, a.id))`,
  ids: {
    thread: sql`coalesce(t.alias_of, t.id)`,
    asked: sql`threads.asked_id`,
    key: sql`threads.asked_key`,
  },
  isNamed: sql`true`,
}

/**
 * Finds the threads and the visible parents of posts. It locks the parents until the transaction ends, in
 * descending order of id, as every write does. The caller holds the thread locks, so that the result stays
 * true until the transaction ends. It also locks the hashes of the texts: of posts that are nearly the same, in
 * whatever threads, one transaction counts its facts after the other has committed. Without waiting, it returns no
 * parents that are locked, the texts that are, and no thread by an alias.
 */
export const FIND_THREADS_AND_PARENTS = forEachWaiting((waiting) => {
  const isLocked =
    waiting === 'wait'
      ? sql`pg_advisory_xact_lock(key) is not null`
      : sql`pg_try_advisory_xact_lock(key)`
  // Posts by an alias always wait.
  const { rows, ids, isNamed } = waiting === 'wait' ? NAMED_THREADS : THREADS
  return prepare<PostedInto, Found>(
    (of) => sql`
    with texts as materialized (
      select hash, ${isLocked} as is_locked from (
        select distinct hash, hashint8extended(hash, ${of.siteId}::int) as key
        from unnest(${of.textHashes}::bigint[]) as t (hash) order by key
      ) keys
    ),
    parents as materialized (
      select c.id as parent_id, c.thread_id as parent_thread_id, c.depth as parent_depth,
        c.home_thread_id as parent_home_thread_id,
        c.locked as parent_locked, c.author_id as parent_author_id,
        case when ${isVisible('c.status')} then '[]' else ${storedBans} end as parent_shadows
      from unnest(${of.parentArticles}::text[], ${of.parentIds}::bigint[]) as wanted (article_id, comment_id)
      join threads t on t.site_id = ${of.siteId}::int and t.article_id = ${keyOf(sql`wanted.article_id`)}
      join comment_tallies k on k.site_id = ${of.siteId}::int and k.thread_id = ${ids.thread}
        and k.comment_id = wanted.comment_id
      ${joinCommentOfTally}
      where ${isVisibleOrShadowed('c')} and (select count(*) from texts) >= 0
      order by k.comment_id desc for no key update of k ${orSkip(waiting)}
    )
    select ${forWrite}, ${ids.asked} as asked_id, parents.*, array(select hash from texts where not is_locked) as busy_texts
    from ${rows} threads left join parents on parents.parent_thread_id = threads.id
    where (select count(*) from texts) >= 0
      and site_id = ${of.siteId}::int and ${ids.key} = any(${keysOf(sql`${of.articleIds}::text[]`)})
      and ${isNamed}`,
  )
})

/** The result of `FIND_THREADS_AND_PARENTS` from its rows: parents by id, and the texts that are locked. */
export const toThreadsAndParents = (
  rows: readonly Found[],
): {
  threads: readonly AskedThread[]
  parents: ReadonlyMap<number, Parent>
  busyTexts: ReadonlySet<number>
} => {
  const parents = rows.flatMap((row): Parent[] => {
    const { parentId: id, parentThreadId, parentHomeThreadId: homeThreadId } = row
    if (id === null) return []
    const whose = { authorId: row.parentAuthorId!, shadows: row.parentShadows! }
    const where = { threadId: parentThreadId!, homeThreadId, depth: row.parentDepth! }
    return [{ id, ...where, locked: row.parentLocked!, ...whose }]
  })
  return {
    threads: rows,
    parents: new Map(parents.map((parent) => [parent.id, parent])),
    busyTexts: new Set(rows[0]?.busyTexts.map(Number)),
  }
}
