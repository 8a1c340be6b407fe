import { sql } from 'kysely'
import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { GrownPlace, Placed } from '../../domain/importing/place-comments.ts'
import type { Instant } from '../../domain/instant.ts'
import { BY_IMPORT } from '../../domain/people/caller.ts'
import { isVisible } from '../comments/visible.ts'
import type { Tx } from '../connection/db.ts'
import { prepare } from '../connection/prepared.ts'
import { keyOf, longIdOf } from '../threads/article-ids.ts'

export type NewThread = {
  readonly articleId: string
  readonly title: string | null
  readonly url: string | null
  readonly isClosed: boolean
  readonly createdAt: Instant
}

/** Creates the threads of articles that have none. */
export const insertThreads = async (
  tx: Tx,
  siteId: number,
  threads: readonly NewThread[],
): Promise<void> => {
  await sql`
    insert into threads (site_id, article_id, long_article_id, title, url, state, created_at)
    select ${siteId}::int, ${keyOf(sql`article_id`)}, ${longIdOf(sql`article_id`)}, title, url, case when is_closed then 'closed' else 'open' end::thread_state,
      created_at
    from unnest(${threads.map(({ articleId }) => articleId)}::text[],
      ${threads.map(({ title }) => title)}::text[], ${threads.map(({ url }) => url)}::text[],
      ${threads.map(({ isClosed }) => isClosed)}::boolean[],
      ${threads.map(({ createdAt }) => createdAt)}::timestamptz[])
      as t (article_id, title, url, is_closed, created_at)
    order by article_id
    on conflict (site_id, article_id) do nothing`.execute(tx)
}

/** Acquires the exclusive locks of several threads, in ascending order: see `acquireThreadLock`. */
export const acquireThreadLocks = async (
  tx: Tx,
  siteId: number,
  ids: readonly number[],
): Promise<void> => {
  await sql`
    select pg_advisory_xact_lock(id) from (
      select id from threads where site_id = ${siteId} and id = any(${ids}::bigint[]) order by id offset 0
    ) t`.execute(tx)
}

/** Acquires the lock under which one import of a site stores comments at a time. */
export const acquireImportLock = async (tx: Tx, siteId: number): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended('import', ${siteId}))`.execute(tx)
}

export type NewAuthor = {
  readonly sourceId: string
  readonly name: string
  readonly email: string | null
  readonly url: string | null
  readonly hash: number
  readonly createdAt: Instant
}

/** Creates guests, and remembers their ids in the other system. @returns the ids, in the order of the authors */
export const insertAuthors = async (
  tx: Tx,
  { siteId, originId }: { siteId: number; originId: number },
  authors: readonly NewAuthor[],
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    with wanted as materialized (
      select *, nextval('authors_id_seq') as id
      from unnest(${authors.map(({ sourceId }) => sourceId)}::text[],
        ${authors.map(({ name }) => name)}::text[], ${authors.map(({ email }) => email)}::text[],
        ${authors.map(({ url }) => url)}::text[], ${authors.map(({ hash }) => hash)}::bigint[],
        ${authors.map(({ createdAt }) => createdAt)}::timestamptz[])
        with ordinality as a (source_id, name, email, url, profile_hash, created_at, place)
      order by place
    ),
    made as (
      insert into authors (site_id, id, name, email, url, created_at) overriding system value
      select ${siteId}::int, id, name, email, url, created_at from wanted
    ),
    remembered as (
      insert into imported_authors (site_id, origin_id, source_id, author_id, profile_hash)
      select ${siteId}::int, ${originId}::int, source_id, id, profile_hash from wanted
    )
    select id from wanted order by place`.execute(tx)
  return rows.map(({ id }) => id)
}

/** Gives guests the profiles that they have in the other system now. */
export const updateImportedAuthors = async (
  tx: Tx,
  { siteId, originId }: { siteId: number; originId: number },
  authors: readonly NewAuthor[],
): Promise<void> => {
  await sql`
    with remembered as (
      update imported_authors i set profile_hash = n.profile_hash
      from unnest(${authors.map(({ sourceId }) => sourceId)}::text[],
        ${authors.map(({ name }) => name)}::text[], ${authors.map(({ email }) => email)}::text[],
        ${authors.map(({ url }) => url)}::text[], ${authors.map(({ hash }) => hash)}::bigint[])
        as n (source_id, name, email, url, profile_hash)
      where i.site_id = ${siteId} and i.origin_id = ${originId} and i.source_id = n.source_id
      returning i.author_id, n.name, n.email, n.url
    )
    update authors a set name = r.name, email = r.email, url = r.url from remembered r
    where a.site_id = ${siteId} and a.id = r.author_id and a.kind = 'guest' and a.erased_at is null`.execute(
    tx,
  )
}

/** Ids for new comments, in ascending order. */
export const takeCommentIds = async (tx: Tx, count: number): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    select nextval('comments_id_seq') as id from generate_series(1, ${count}::int)`.execute(tx)
  return rows.map(({ id }) => id)
}

export type NewComment = Placed & {
  readonly threadId: number
  /** The place of its texts in the columns, from 1. */
  readonly place: number
  readonly authorId: number
  readonly status: Status
  readonly createdAt: Instant
  readonly editedAt: Instant | null
  readonly pinned: boolean
  readonly upvotes: number
  readonly downvotes: number
  readonly sourceId: string
  readonly textHash: number
  /** The address of the author; null: unknown, or older than the site keeps addresses. */
  readonly address: string | null
  readonly addressHash: Buffer | null
}

/** The texts of many comments, each column as the text of an array. */
export type TextColumns = {
  readonly bodies: string
  readonly htmls: string
  readonly originals: string
}

type At = {
  readonly siteId: number
  readonly originId: number
  readonly importId: number
}

/** Inserts comments with their tallies, originals, addresses and ids in the other system. Counts nothing else. */
export const insertImportedComments = async (
  tx: Tx,
  at: At,
  comments: readonly NewComment[],
  texts: TextColumns,
): Promise<void> => {
  const column = <K extends keyof NewComment>(key: K) => comments.map((comment) => comment[key])
  await tx.executeQuery(
    INSERT_COMMENTS({
      ...at,
      ...texts,
      renderer: RENDERER_VERSION,
      ids: column('id'),
      threadIds: column('threadId'),
      places: column('place'),
      parentIds: column('parentId'),
      parentHomeThreadIds: column('parentHomeThreadId'),
      depths: column('depth'),
      replyCounts: column('replyCount'),
      activeAts: column('activeAt'),
      authorIds: column('authorId'),
      statuses: column('status'),
      createdAts: column('createdAt'),
      editedAts: column('editedAt'),
      pinned: column('pinned'),
      upvotes: column('upvotes'),
      downvotes: column('downvotes'),
      sourceIds: column('sourceId'),
      textHashes: column('textHash'),
      addresses: column('address'),
      addressHashes: column('addressHash'),
    }),
  )
}

type Columns = At &
  TextColumns & {
    readonly renderer: number
    readonly ids: readonly number[]
    readonly threadIds: readonly number[]
    readonly places: readonly number[]
    readonly parentIds: readonly number[]
    readonly parentHomeThreadIds: readonly (number | null)[]
    readonly depths: readonly number[]
    readonly replyCounts: readonly number[]
    readonly activeAts: readonly Instant[]
    readonly authorIds: readonly number[]
    readonly statuses: readonly Status[]
    readonly createdAts: readonly Instant[]
    readonly editedAts: readonly (Instant | null)[]
    readonly pinned: readonly boolean[]
    readonly upvotes: readonly number[]
    readonly downvotes: readonly number[]
    readonly sourceIds: readonly string[]
    readonly textHashes: readonly number[]
    readonly addresses: readonly (string | null)[]
    readonly addressHashes: readonly (Buffer | null)[]
  }

const INSERT_COMMENTS = prepare<Columns, unknown>(
  (of) => sql`
    with texts as (
      select * from unnest(${of.bodies}::text[], ${of.htmls}::text[], ${of.originals}::text[])
        with ordinality as t (body, body_html, original, place)
    ),
    wanted as materialized (
      select w.*, t.body, t.body_html, t.original
      from unnest(
        ${of.ids}::bigint[],
        ${of.threadIds}::bigint[],
        ${of.places}::bigint[],
        ${of.parentIds}::bigint[],
        ${of.parentHomeThreadIds}::bigint[],
        ${of.depths}::int[],
        ${of.replyCounts}::int[],
        ${of.activeAts}::timestamptz[],
        ${of.authorIds}::bigint[],
        ${of.statuses}::comment_status[],
        ${of.createdAts}::timestamptz[],
        ${of.editedAts}::timestamptz[],
        ${of.pinned}::boolean[],
        ${of.upvotes}::int[],
        ${of.downvotes}::int[],
        ${of.sourceIds}::text[],
        ${of.textHashes}::bigint[],
        ${of.addresses}::inet[],
        ${of.addressHashes}::bytea[]
      ) as w (id, thread_id, place, parent_id, parent_home_thread_id, depth, reply_count, active_at, author_id,
        status, created_at, edited_at, pinned, upvotes, downvotes, source_id, text_hash, address, address_hash)
      join texts t using (place) order by w.id
    ),
    made_comments as (
      insert into comments (site_id, thread_id, id, parent_id, parent_home_thread_id, depth, author_id, status,
        pinned, revision, body, body_html, renderer, created_at, edited_at, published_at) overriding system value
      select ${of.siteId}::int, thread_id, id, parent_id, parent_home_thread_id, depth, author_id, status,
        pinned, case when original is null then 1 else 2 end, body, body_html, ${of.renderer}::int, created_at,
        edited_at, case when ${isVisible('status')} then created_at end
      from wanted
    ),
    made_tallies as (
      insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible, active_at,
        reply_count, upvotes, downvotes)
      select ${of.siteId}::int, thread_id, id, parent_id, created_at, ${isVisible('status')}, active_at,
        reply_count, upvotes, downvotes
      from wanted
    ),
    kept_originals as (
      insert into comment_revisions (site_id, comment_id, revision, body, body_html, replaced_at, replaced_by)
      select ${of.siteId}::int, id, 1, original, body_html, created_at, ${BY_IMPORT} from wanted
      where original is not null
    ),
    kept_addresses as (
      insert into comment_addresses (site_id, written_at, comment_id, author_id, network, address_hash)
      select ${of.siteId}::int, created_at, id, author_id,
        network(set_masklen(address, case family(address) when 4 then 24 else 48 end))::text, address_hash
      from wanted where address is not null
    )
    insert into imported_comments (site_id, origin_id, source_id, import_id, home_thread_id, comment_id, text_hash,
      status, upvotes, downvotes, pinned)
    select ${of.siteId}::int, ${of.originId}::int, source_id, ${of.importId}::bigint, thread_id, id, text_hash,
      status, upvotes, downvotes, pinned
    from wanted`,
)

/** Stores the replies that stored comments have now. */
export const growPlaces = async (
  tx: Tx,
  siteId: number,
  places: readonly (GrownPlace & { readonly threadId: number })[],
): Promise<void> => {
  await sql`
    update comment_tallies k set reply_count = g.reply_count, active_at = g.active_at
    from unnest(${places.map(({ threadId }) => threadId)}::bigint[], ${places.map(({ id }) => id)}::bigint[],
      ${places.map(({ replyCount }) => replyCount)}::int[],
      ${places.map(({ activeAt }) => activeAt)}::timestamptz[]) as g (thread_id, id, reply_count, active_at)
    where k.site_id = ${siteId} and k.thread_id = g.thread_id and k.comment_id = g.id`.execute(tx)
}

export type GrownThread = {
  readonly id: number
  readonly title: string | null
  readonly url: string | null
  /** Visible comments that the thread has more than before. */
  readonly comments: number
  readonly roots: number
  readonly lastCommentAt: Instant | null
}

/** Adds visible comments to the counts of threads, and names articles without a name. The last locks of a write. */
export const growThreads = async (
  tx: Tx,
  siteId: number,
  threads: readonly GrownThread[],
): Promise<void> => {
  await sql`
    with locked as materialized (
      select id from threads where site_id = ${siteId} and id = any(${threads.map(({ id }) => id)}::bigint[])
      order by id for no key update
    )
    update threads t set title = coalesce(t.title, g.title), url = coalesce(t.url, g.url),
      comment_count = t.comment_count + g.comments, root_count = t.root_count + g.roots,
      last_comment_at = greatest(t.last_comment_at, g.last_comment_at),
      version = case when g.comments = 0 and t.version = 0 then 0
        else greatest(t.version + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint) end
    from locked join unnest(${threads.map(({ id }) => id)}::bigint[],
      ${threads.map(({ title }) => title)}::text[], ${threads.map(({ url }) => url)}::text[],
      ${threads.map(({ comments }) => comments)}::int[], ${threads.map(({ roots }) => roots)}::int[],
      ${threads.map(({ lastCommentAt }) => lastCommentAt)}::timestamptz[])
      as g (id, title, url, comments, roots, last_comment_at) on g.id = locked.id
    where t.site_id = ${siteId} and t.id = locked.id`.execute(tx)
}
