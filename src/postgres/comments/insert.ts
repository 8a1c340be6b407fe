import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { Verdict } from '../../domain/screening/finding.ts'
import { prepare, type Query } from '../connection/prepared.ts'
import type { GuestProfile } from '../people/authors.ts'
import type { JudgementColumns } from '../screening/stored-judgements.ts'
import { nextVersion } from '../threads/threads.ts'
import { isVisible } from './visible.ts'

export type NewPost = JudgementColumns & {
  readonly threadId: number
  /** 0 for a root. */
  readonly parentId: number
  readonly parentHomeThreadId: number | null
  readonly depth: number
  /** The id of an author, or the profile of a new guest. */
  readonly author: number | GuestProfile
  readonly status: Verdict
  readonly body: string
  readonly bodyHtml: string
  readonly articleTitle: string | null
  readonly articleUrl: string | null
  readonly network: string | null
  readonly addressHash: Buffer | null
  readonly policyVersion: number
  readonly risk: number
  readonly fingerprint: number
  readonly sketch: readonly number[]
  readonly shadowed: boolean
}

export type InsertedPost = {
  readonly id: number
  readonly authorId: number
  readonly createdAt: Instant
  /** The new version of the thread; null if no post into it is approved. */
  readonly threadVersion: number | null
}

/** A thread that gets approved posts, and what they say about its article. */
export type PostedThread = {
  readonly id: number
  /** How many approved posts it gets. */
  readonly approved: number
  /** How many of them are root comments. */
  readonly approvedRoots: number
  /** The article's title and address by staff, used if the thread has none. */
  readonly title: string | null
  readonly url: string | null
  /** The first approved post that suggests a title and address, by its place; undefined if none does. */
  readonly suggestion:
    | { readonly place: number; readonly title: string | null; readonly url: string | null }
    | undefined
}

type At = {
  readonly siteId: number
  readonly renderer: number
  /** The threads of all approved posts. */
  readonly threads: readonly PostedThread[]
}

/**
 * Inserts comments and their new guests, and adds approved comments to the counts of their parents and
 * threads. The caller has locked the parents and the authors; the rows of threads are the last locks of a
 * write, in ascending order of id.
 *
 * Ids are taken in the order of the posts, in which `unnest` yields them, before any insert, so that each
 * post gets its own. All comments have one time, so that times never contradict ids.
 * Each row of the result is a post, in the order of the posts. Each posted thread has an approved post: the condition
 * that says so lets the planner expect few threads, and find them by their key.
 */
export const insertPosts = (
  { siteId, renderer, threads }: At,
  posts: readonly NewPost[],
): Query<InsertedPost> =>
  INSERT_POSTS({ siteId, renderer, ...columnsOf(posts), ...columnsOfThreads(threads) })

const columnsOf = (posts: readonly NewPost[]) => {
  const guests = posts.map(({ author }) => (typeof author === 'number' ? null : author))
  return {
    threadIds: posts.map(({ threadId }) => threadId),
    parentIds: posts.map(({ parentId }) => parentId),
    parentHomeThreadIds: posts.map((post) => post.parentHomeThreadId),
    depths: posts.map(({ depth }) => depth),
    authorIds: posts.map(({ author }) => (typeof author === 'number' ? author : null)),
    names: guests.map((guest) => guest?.name),
    urls: guests.map((guest) => guest?.url),
    emails: guests.map((guest) => guest?.email),
    statuses: posts.map(({ status }) => status),
    bodies: posts.map(({ body }) => body),
    htmls: posts.map(({ bodyHtml }) => bodyHtml),
    articleTitles: posts.map(({ articleTitle }) => articleTitle),
    articleUrls: posts.map(({ articleUrl }) => articleUrl),
    screenings: posts.map(({ screening }) => screening),
    networks: posts.map(({ network }) => network),
    addressHashes: posts.map(({ addressHash }) => addressHash),
    policyVersions: posts.map(({ policyVersion }) => policyVersion),
    facts: posts.map(({ facts }) => facts),
    risks: posts.map(({ risk }) => risk),
    fingerprints: posts.map(({ fingerprint }) => fingerprint),
    sketches: posts.map(({ sketch }) => `{${sketch.join()}}`),
    shadowed: posts.map(({ shadowed }) => shadowed),
    packedFacts: posts.map(({ packedFacts }) => packedFacts),
    packedTraces: posts.map(({ packedTrace }) => packedTrace),
  }
}

const columnsOfThreads = (threads: readonly PostedThread[]) => ({
  postedThreads: threads.map(({ id }) => id),
  approved: threads.map(({ approved }) => approved),
  approvedRoots: threads.map(({ approvedRoots }) => approvedRoots),
  titles: threads.map(({ title }) => title),
  threadUrls: threads.map(({ url }) => url),
  suggestions: threads.map(({ suggestion }) => suggestion && suggestion.place + 1),
  suggestedTitles: threads.map(({ suggestion }) => suggestion?.title),
  suggestedUrls: threads.map(({ suggestion }) => suggestion?.url),
})

type Columns = Pick<At, 'siteId' | 'renderer'> &
  ReturnType<typeof columnsOf> &
  ReturnType<typeof columnsOfThreads>

const INSERT_POSTS = prepare<Columns, InsertedPost>(
  (of) => sql`
    with moment as materialized (select clock_timestamp()::timestamptz(3) as now),
    posts as materialized (
      select *, nextval('comments_id_seq') as comment_id,
        coalesce(author_id, nextval('authors_id_seq')) as writer_id
      from moment, unnest(
        ${of.threadIds}::bigint[],
        ${of.parentIds}::bigint[],
        ${of.parentHomeThreadIds}::bigint[],
        ${of.depths}::int[],
        ${of.authorIds}::bigint[],
        ${of.names}::text[],
        ${of.urls}::text[],
        ${of.emails}::text[],
        ${of.statuses}::comment_status[],
        ${of.bodies}::text[],
        ${of.htmls}::text[],
        ${of.articleTitles}::text[],
        ${of.articleUrls}::text[],
        ${of.screenings}::jsonb[],
        ${of.networks}::text[],
        ${of.addressHashes}::bytea[],
        ${of.policyVersions}::int[],
        ${of.facts}::jsonb[],
        ${of.risks}::smallint[],
        ${of.fingerprints}::bigint[],
        ${of.sketches}::text[],
        ${of.shadowed}::boolean[],
        ${of.packedFacts}::text[],
        ${of.packedTraces}::text[]
      ) with ordinality as p (thread_id, parent_id, parent_home_thread_id, depth, author_id, name, url, email,
        status, body, body_html, article_title, article_url, screening, network, address_hash, policy_version, facts,
        risk, fingerprint, sketch, shadowed, packed_facts, packed_trace, place)
      order by place
    ),
    made_guests as (
      insert into authors (site_id, id, name, url, email) overriding system value
      select ${of.siteId}::int, writer_id, name, url, email from posts where author_id is null
    ),
    made_comments as (
      insert into comments (site_id, thread_id, id, parent_id, parent_home_thread_id, depth, author_id,
        status, body, body_html, renderer, article_title, article_url, screening,
        policy_version, facts, packed_facts, packed_trace, risk, shadowed, created_at, published_at) overriding system value
      select ${of.siteId}::int, thread_id, comment_id, parent_id, parent_home_thread_id, depth, writer_id,
        status, body, body_html, ${of.renderer}::int, article_title, article_url, screening,
        policy_version, facts, packed_facts, packed_trace, risk, shadowed, now, case when ${isVisible('status')} then now end
      from posts
    ),
    made_tallies as (
      insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible,
        active_at)
      select ${of.siteId}::int, thread_id, comment_id, parent_id, now, ${isVisible('status')}, now
      from posts
    ),
    kept_addresses as (
      insert into comment_addresses (site_id, written_at, comment_id, author_id, network, address_hash)
      select ${of.siteId}::int, now, comment_id, writer_id, network, address_hash from posts
      where address_hash is not null
    ),
    noted as (
      insert into arrivals (site_id, comment_id, thread_id, author_id, address_hash, fingerprint,
        sketch, arrived_at)
      select ${of.siteId}::int, comment_id, thread_id, writer_id, address_hash, fingerprint,
        sketch::bigint[], now
      from posts
    ),
    counted_replies as (
      update comment_tallies k set reply_count = k.reply_count + replies.number,
        active_at = greatest(k.active_at, replies.now)
      from (
        select thread_id, parent_id, now, count(*) as number from posts
        where ${isVisible('status')} and parent_id <> 0 group by thread_id, parent_id, now
      ) replies
      where k.site_id = ${of.siteId}::int and k.thread_id = replies.thread_id and k.comment_id = replies.parent_id
    ),
    locked_threads as materialized (
      select posted.*, now from moment, unnest(
        ${of.postedThreads}::bigint[],
        ${of.approved}::int[],
        ${of.approvedRoots}::int[],
        ${of.titles}::text[],
        ${of.threadUrls}::text[],
        ${of.suggestions}::bigint[],
        ${of.suggestedTitles}::text[],
        ${of.suggestedUrls}::text[]
      ) as posted (thread_id, comments, roots, title, url, suggestion, suggested_title, suggested_url)
      join threads t on t.site_id = ${of.siteId}::int and t.id = posted.thread_id
      where posted.comments > 0 order by t.id for no key update of t
    ),
    counted_threads as (
      update threads t set version = ${nextVersion},
        comment_count = t.comment_count + posted.comments,
        root_count = t.root_count + posted.roots,
        last_comment_at = greatest(t.last_comment_at, now),
        title = coalesce(t.title, posted.title), url = coalesce(t.url, posted.url),
        suggested_by = coalesce(t.suggested_by, (select comment_id from posts where place = posted.suggestion)),
        suggested_title = case when t.suggested_by is null then posted.suggested_title else t.suggested_title end,
        suggested_url = case when t.suggested_by is null then posted.suggested_url else t.suggested_url end
      from locked_threads posted
      where t.site_id = ${of.siteId}::int and t.id = posted.thread_id
      returning t.id, t.version
    )
    select comment_id as id, writer_id as author_id, now as created_at, c.version as thread_version
    from posts p left join counted_threads c on c.id = p.thread_id order by place`,
)
