import { type RawBuilder, sql } from 'kysely'
import type { ThreadState } from '../../domain/comment/comment.ts'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Db } from '../connection/db.ts'
import { readFacts, readTrace, storedFacts, storedTrace } from '../screening/stored-judgements.ts'
import { articleIdOf } from '../threads/article-ids.ts'

/** The next rows of a site after a place in their order. */
export type ExportPage<At> = { readonly siteId: number; readonly after: At; readonly limit: number }

type ById = { readonly id: number }

/** The settings that an export contains: those without secrets. */
export const findExportedSite = async (db: Db, siteId: number): Promise<Site> => {
  const { rows } = await sql<Site>`
    select name, origins, article_ids, moderation, posting, state, reading, voting, email_required, min_body_length,
      max_body_length, language, reserved_names, login_url, edit_window_seconds, max_depth, limits, sorts,
      retention_days, flag_threshold, close_after_days, slow_mode_seconds, policy_version
    from sites where id = ${siteId}`.execute(db)
  return rows[0]!
}

export type ExportedAuthor = ById & {
  readonly kind: 'guest' | 'member'
  readonly role: string
  readonly name: string
  readonly url: string | null
  readonly avatarUrl: string | null
  readonly email: string | null
  readonly emailVerified: boolean
  readonly location: string | null
  readonly subject: string | null
  readonly signedOnAt: Instant | null
  readonly tokenRoles: readonly string[]
  readonly grantedRoles: readonly string[]
  readonly tokenRolesIgnored: boolean
  readonly listed: boolean
  readonly suspendedAt: Instant | null
  readonly createdAt: Instant
  readonly erasedAt: Instant | null
}

export const listExportedAuthors = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedAuthor[]> => {
  const { rows } = await sql<ExportedAuthor>`
    select id, kind, role, name, url, avatar_url, email, email_verified, location, subject, signed_on_at,
      token_roles::text[] as token_roles, granted_roles::text[] as granted_roles, token_roles_ignored,
      listed, suspended_at, created_at, erased_at
    from authors where site_id = ${siteId} and id > ${after.id} order by id limit ${limit}`.execute(
    db,
  )
  return rows
}

export type ExportedNote = ById & {
  readonly authorId: number
  readonly note: string
  readonly by: string
  readonly at: Instant
}

export const listExportedNotes = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedNote[]> => {
  const { rows } = await sql<ExportedNote>`
    select id, author_id, note, noted_by as "by", noted_at as "at" from author_notes
    where site_id = ${siteId} and id > ${after.id} order by id limit ${limit}`.execute(db)
  return rows
}

export type ExportedReason = ById & {
  readonly title: string
  readonly reason: string
  readonly note: string
}

export const listExportedReasons = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedReason[]> => {
  const { rows } = await sql<ExportedReason>`
    select id, title, reason, note from canned_reasons
    where site_id = ${siteId} and id > ${after.id} order by id limit ${limit}`.execute(db)
  return rows
}

export type ExportedPolicy = ById & {
  readonly policy: unknown
  readonly note: string | null
  readonly by: string
  readonly at: Instant
}

/** The id of a policy is its version. */
export const listExportedPolicies = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedPolicy[]> => {
  const { rows } = await sql<ExportedPolicy>`
    select version as id, policy, note, made_by as "by", made_at as "at" from policies
    where site_id = ${siteId} and version > ${after.id} order by version limit ${limit}`.execute(db)
  return rows
}

export type ExportedBan = ById & {
  readonly kind: string
  readonly authorId: number | null
  readonly network: string | null
  readonly emailHash: Buffer | null
  readonly domain: string | null
  readonly effect: string
  readonly reason: string | null
  readonly note: string | null
  readonly by: string
  readonly at: Instant
  readonly expiresAt: Instant | null
  readonly liftedBy: string | null
  readonly liftedAt: Instant | null
}

export const listExportedBans = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedBan[]> => {
  const { rows } = await sql<ExportedBan>`
    select id, kind, author_id, network::text as network, email_hash, domain, effect, reason, note,
      made_by as "by", made_at as "at", expires_at, lifted_by, lifted_at
    from bans where site_id = ${siteId} and id > ${after.id} order by id limit ${limit}`.execute(db)
  return rows
}

export type ExportedThread = ById & {
  readonly articleId: string
  readonly title: string | null
  readonly url: string | null
  readonly state: ThreadState
  readonly closesAt: Instant | null
  readonly staysOpen: boolean
  readonly slowModeSeconds: number | null
  readonly moderation: string | null
  readonly createdAt: Instant
  readonly suggestedTitle: string | null
  readonly suggestedUrl: string | null
}

export const listExportedThreads = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedThread[]> => {
  const { rows } = await sql<ExportedThread>`
    select id, ${articleIdOf('threads')} as article_id, title, url, state, closes_at, stays_open, slow_mode_seconds, moderation, created_at,
      suggested_title, suggested_url
    from threads
    where site_id = ${siteId} and id > ${after.id} and deleted_at is null
    order by id limit ${limit}`.execute(db)
  return rows
}

export type ExportedAlias = ById & {
  readonly articleId: string
  readonly of: string
  readonly via: string
  readonly isBare: boolean
}

export const listExportedAliases = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedAlias[]> => {
  const { rows } = await sql<ExportedAlias>`
    select t.id, ${articleIdOf('t')} as article_id, ${articleIdOf('o')} as "of",
      coalesce(${articleIdOf('v')}, ${articleIdOf('o')}) as via, t.is_bare
    from threads t
    join threads o on o.site_id = ${siteId} and o.id = t.alias_of and o.deleted_at is null
    left join threads v on v.site_id = ${siteId} and v.id = t.alias_via and v.deleted_at is null
    where t.site_id = ${siteId} and t.id > ${after.id} and t.alias_of is not null and t.deleted_at is null
    order by t.id limit ${limit}`.execute(db)
  return rows
}

export type ExportedComment = Required<CommentKey> & {
  readonly articleId: string
  readonly parentId: number
  readonly parentHomeThreadId: number | null
  readonly authorId: number
  readonly status: Status
  readonly withdrawnAt: Instant | null
  readonly withdrawnFrom: Status | null
  readonly redactedAt: Instant | null
  readonly shadowed: boolean
  readonly pinned: boolean
  readonly locked: boolean
  readonly revision: number
  readonly createdAt: Instant
  readonly publishedAt: Instant | null
  readonly editedAt: Instant | null
  readonly body: string
  readonly bodyHtml: string
  readonly articleTitle: string | null
  readonly articleUrl: string | null
  readonly namesArticle: boolean
  readonly policyVersion: number | null
  readonly facts: string | null
  readonly trace: string | null
  readonly risk: number
  readonly upvotes: number
  readonly downvotes: number
}

/** Comments by thread and id, so that a parent comes before its replies. */
export const listExportedComments = (
  db: Db,
  page: ExportPage<CommentKey>,
): Promise<ExportedComment[]> => listComments(db, page, sql``)

/** Comments of the thread in which the page begins. */
export const listThreadComments = (
  db: Db,
  page: ExportPage<CommentKey>,
): Promise<ExportedComment[]> =>
  listComments(db, page, sql`and c.thread_id = ${page.after.threadId}`)

const listComments = async (
  db: Db,
  { siteId, after, limit }: ExportPage<CommentKey>,
  inThread: RawBuilder<unknown>,
): Promise<ExportedComment[]> => {
  const { rows } = await sql<ExportedComment>`
    select c.thread_id, c.id, c.home_thread_id, ${articleIdOf('t')} as article_id, c.parent_id, c.parent_home_thread_id, c.author_id,
      c.status, c.withdrawn_at, c.withdrawn_from, c.redacted_at, c.shadowed, c.pinned, c.locked, c.revision,
      c.created_at, c.published_at, c.edited_at, c.body, c.body_html, c.article_title, c.article_url,
      coalesce(t.suggested_by = c.id, false) as names_article,
      c.policy_version, ${storedFacts} as facts, ${storedTrace} as trace, c.risk, k.upvotes, k.downvotes
    from (
      select * from comments c
      where c.site_id = ${siteId} and (c.thread_id, c.id) > (${after.threadId}, ${after.id}) ${inThread}
        and not exists (select from threads g
          where g.site_id = ${siteId} and g.id = c.thread_id and g.deleted_at is not null)
      order by c.thread_id, c.id limit ${limit}
    ) c
    join threads t on t.site_id = ${siteId} and t.id = c.thread_id
    join comment_tallies k on k.site_id = ${siteId} and k.thread_id = c.thread_id and k.comment_id = c.id
    order by c.thread_id, c.id`.execute(db)
  return rows
}

/** The stored judgement of a comment in its long form; undefined without one. */
export const judgementOf = ({ facts, trace }: ExportedComment) =>
  facts === null || trace === null
    ? undefined
    : { facts: readFacts(facts), trace: readTrace(trace) }

export type ExportedRevision = {
  readonly commentId: number
  readonly revision: number
  readonly body: string
  readonly at: Instant
  readonly by: string
}

/** The earlier texts of comments. */
export const listExportedRevisions = async (
  db: Db,
  { siteId, commentIds }: { readonly siteId: number; readonly commentIds: readonly number[] },
): Promise<ExportedRevision[]> => {
  const { rows } = await sql<ExportedRevision>`
    select comment_id, revision, body, replaced_at as "at", replaced_by as "by" from comment_revisions
    where site_id = ${siteId} and comment_id = any(${commentIds}::bigint[])
    order by comment_id, revision`.execute(db)
  return rows
}

type ByPerson = CommentKey & { readonly authorId: number }

/** Whether the comment of `x` is in the export, and its home thread. */
const joinComment = (table: 'v' | 'f', siteId: number) => sql`
  join comments c on c.site_id = ${siteId} and c.thread_id = ${sql.ref(`${table}.thread_id`)}
    and c.id = ${sql.ref(`${table}.comment_id`)}
  join threads t on t.site_id = ${siteId} and t.id = c.thread_id and t.deleted_at is null`

export type ExportedVote = ByPerson & { readonly value: number; readonly at: Instant }

export const listExportedVotes = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ByPerson>,
): Promise<ExportedVote[]> => {
  const { rows } = await sql<ExportedVote>`
    select v.thread_id, v.comment_id as id, c.home_thread_id, v.author_id, v.value, v.voted_at as "at"
    from votes v ${joinComment('v', siteId)}
    where v.site_id = ${siteId}
      and (v.thread_id, v.comment_id, v.author_id) > (${after.threadId}, ${after.id}, ${after.authorId})
    order by v.thread_id, v.comment_id, v.author_id limit ${limit}`.execute(db)
  return rows
}

export type ExportedFlag = ByPerson & {
  readonly reason: string
  readonly note: string | null
  readonly at: Instant
  readonly resolvedAt: Instant | null
  readonly resolvedBy: number | null
}

export const listExportedFlags = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ByPerson>,
): Promise<ExportedFlag[]> => {
  const { rows } = await sql<ExportedFlag>`
    select f.thread_id, f.comment_id as id, c.home_thread_id, f.author_id, f.reason, f.note, f.flagged_at as "at",
      f.resolved_at, f.resolved_by
    from flags f ${joinComment('f', siteId)}
    where f.site_id = ${siteId}
      and (f.thread_id, f.comment_id, f.author_id) > (${after.threadId}, ${after.id}, ${after.authorId})
    order by f.thread_id, f.comment_id, f.author_id limit ${limit}`.execute(db)
  return rows
}

export type ExportedBatch = ById & {
  readonly kind: string
  readonly to: string | null
  readonly undoes: number | null
  readonly by: string
  readonly at: Instant
  readonly total: number
  readonly done: number
  readonly changed: number
  readonly outcomes: unknown
  readonly endedAt: Instant
}

/** The batches that decisions name. One that still runs counts as ended: its comments have what they have now. */
export const listExportedBatches = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedBatch[]> => {
  const { rows } = await sql<ExportedBatch>`
    select id, kind, request ->> 'to' as "to", (request ->> 'batchId')::bigint as undoes, asked_by as "by",
      asked_at as "at", total, done, changed, outcomes, coalesce(ended_at, asked_at) as ended_at
    from batches b
    where b.site_id = ${siteId} and b.id > ${after.id}
      and exists (select from decisions d where d.site_id = ${siteId} and d.batch_id = b.id)
    order by b.id limit ${limit}`.execute(db)
  return rows
}

export type ExportedDecision = ById & {
  readonly action: string
  readonly articleId: string | null
  readonly commentId: number | null
  readonly homeThreadId: number | null
  readonly authorId: number | null
  readonly subject: string | null
  readonly from: Status | null
  readonly to: Status | null
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>> | null
  readonly reason: string | null
  readonly note: string | null
  readonly by: string
  readonly at: Instant
  readonly causedBy: number | null
  readonly undoes: number | null
  readonly batchId: number | null
  readonly policyVersion: number | null
  readonly heldMs: number | null
}

/** A decision names the home thread of its comment. A comment whose thread is deleted has no name any more. */
export const listExportedDecisions = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedDecision[]> => {
  const { rows } = await sql<ExportedDecision>`
    select d.id, d.action, case when c.id is null then ${articleIdOf('t')} end as article_id, c.id as comment_id, c.home as home_thread_id, d.author_id, d.subject,
      d.from_status as "from", d.to_status as "to", d.before, d.after, d.reason, d.note, d.decided_by as "by",
      d.decided_at as "at", d.caused_by, d.undoes, d.batch_id, d.policy_version, d.held_ms
    from (
      select * from decisions d where d.site_id = ${siteId} and d.id > ${after.id} order by d.id limit ${limit}
    ) d
    left join threads t on t.site_id = ${siteId} and t.id = d.thread_id and t.deleted_at is null
    left join lateral (${commentOf(sql`d.thread_id`, sql`d.comment_id`, siteId)}) c on true
    order by d.id`.execute(db)
  return rows
}

/**
 * A comment by the thread that a record names: the thread that the comment is in, or its home thread. The scalar
 * query keeps a plan without statistics from joining all threads with all records.
 */
export const commentOf = (
  threadId: RawBuilder<unknown>,
  id: RawBuilder<unknown>,
  siteId: number,
) => sql`
  select c.id, coalesce(c.home_thread_id, c.thread_id) as home from (
    select h.id, h.thread_id, h.home_thread_id from comments h
    where h.site_id = ${siteId} and h.thread_id = ${threadId} and h.id = ${id}
    union all
    select m.id, m.thread_id, m.home_thread_id from comments m
    where m.site_id = ${siteId} and m.id = ${id} and m.home_thread_id is not null and m.thread_id <> ${threadId}
  ) c
  where (select g.deleted_at is null from threads g where g.site_id = ${siteId} and g.id = c.thread_id)`

export type ExportedAppeal = ById & {
  readonly commentId: number
  readonly homeThreadId: number
  readonly authorId: number
  readonly text: string
  readonly at: Instant
  readonly decisionId: number | null
  readonly by: string | null
  readonly outcome: string | null
  readonly note: string | null
  readonly answeredBy: string | null
  readonly answeredAt: Instant | null
}

export const listExportedAppeals = async (
  db: Db,
  { siteId, after, limit }: ExportPage<ById>,
): Promise<ExportedAppeal[]> => {
  const { rows } = await sql<ExportedAppeal>`
    select p.id, c.id as comment_id, c.home as home_thread_id, p.author_id, p.text, p.appealed_at as "at",
      p.decision_id, p.decided_by as "by", p.outcome, p.note, p.answered_by, p.answered_at
    from appeals p
    cross join lateral (${commentOf(sql`p.thread_id`, sql`p.comment_id`, siteId)}) c
    where p.site_id = ${siteId} and p.id > ${after.id} order by p.id limit ${limit}`.execute(db)
  return rows
}

/** The author of a comment, as another system can know one. */
export type CommentAuthor = ById &
  Pick<ExportedAuthor, 'kind' | 'name' | 'url' | 'email' | 'erasedAt'>

export const listCommentAuthors = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<ReadonlyMap<number, CommentAuthor>> => {
  const { rows } = await sql<CommentAuthor>`
    select id, kind, name, url, email, erased_at from authors
    where site_id = ${siteId} and id = any(${ids}::bigint[])`.execute(db)
  return new Map(rows.map((author) => [author.id, author]))
}
