import { sql } from 'kysely'
import { isVisible } from '../comments/visible.ts'
import type { Tx } from '../connection/db.ts'
import { keyOf, longIdOf } from '../threads/article-ids.ts'
import { nextVersion } from '../threads/threads.ts'

/** Rows of an export, with the ids that they have here. JSON carries them, because they have many columns. */

type Rows = readonly object[]

const toJson = (rows: Rows): string => JSON.stringify(rows)

/** The ids that rows have in the export. */
export const rememberAuthors = async (
  tx: Tx,
  { siteId, originId }: { readonly siteId: number; readonly originId: number },
  rows: readonly { readonly sourceId: string; readonly id: number; readonly hash?: string }[],
): Promise<void> => {
  await sql`
    insert into imported_authors (site_id, origin_id, source_id, author_id, profile_hash)
    select ${siteId}, ${originId}, r."sourceId", r.id, coalesce(r.hash, 0)
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("sourceId" text, id bigint, hash bigint)
    on conflict do nothing`.execute(tx)
}

export const rememberComments = async (
  tx: Tx,
  {
    siteId,
    originId,
    importId,
  }: { readonly siteId: number; readonly originId: number; readonly importId: number },
  rows: Rows,
): Promise<void> => {
  await sql`
    insert into imported_comments (site_id, origin_id, source_id, import_id, home_thread_id, comment_id, text_hash,
      status, upvotes, downvotes, pinned)
    select ${siteId}, ${originId}, r."sourceId", ${importId}, r.home, r.id, coalesce(r.hash, 0), r.status, r.upvotes,
      r.downvotes, r.pinned
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("sourceId" text, id bigint, home bigint, hash bigint,
      status comment_status, upvotes int, downvotes int, pinned boolean)
    on conflict do nothing`.execute(tx)
}

export const rememberRecords = async (
  tx: Tx,
  {
    siteId,
    originId,
    kind,
  }: { readonly siteId: number; readonly originId: number; readonly kind: string },
  rows: Rows,
): Promise<void> => {
  await sql`
    insert into imported_records (site_id, origin_id, kind, source_id, row_id)
    select ${siteId}, ${originId}, ${kind}, r.id, r.row
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r (id text, "row" bigint)`.execute(tx)
}

export const insertAuthors = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into authors (site_id, id, kind, role, name, url, avatar_url, email, email_verified, location, subject,
      signed_on_at, token_roles, granted_roles, token_roles_ignored, listed, suspended_at, created_at, erased_at,
      name_skeleton) overriding system value
    select ${siteId}, r.row, case when r.is_member then 'member' else 'guest' end::author_kind, r.role, r.name, r.url,
      r.avatar_url, r.email, r.email_verified, r.location, r.subject, r.signed_on_at,
      array(select jsonb_array_elements_text(r.token_roles))::author_role[],
      array(select jsonb_array_elements_text(r.granted_roles))::author_role[],
      r.token_roles_ignored, r.listed, r.suspended_at, r.created_at, r.erased_at, r.skeleton
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("row" bigint, is_member boolean, role author_role, name text,
      url text, avatar_url text, email text, email_verified boolean, location text, subject text,
      signed_on_at timestamptz, token_roles jsonb, granted_roles jsonb, token_roles_ignored boolean, listed boolean,
      suspended_at timestamptz, created_at timestamptz, erased_at timestamptz, skeleton text)`.execute(
    tx,
  )
}

export const insertNotes = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into author_notes (site_id, id, author_id, note, noted_by, noted_at) overriding system value
    select ${siteId}, r.row, r.author, r.note, r.by, r.at
    from jsonb_to_recordset(${toJson(rows)}::jsonb)
      as r ("row" bigint, author bigint, note text, "by" text, "at" timestamptz)`.execute(tx)
}

export const insertReasons = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into canned_reasons (site_id, id, title, reason, note) overriding system value
    select ${siteId}, r.row, r.title, r.reason, r.note
    from jsonb_to_recordset(${toJson(rows)}::jsonb)
      as r ("row" int, title text, reason decision_reason, note text)`.execute(tx)
}

/** Versions that the site has already stay as they are. */
export const insertPolicies = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into policies (site_id, version, policy, note, made_by, made_at)
    select ${siteId}, r.version, r.policy, r.note, r.by, r.at
    from jsonb_to_recordset(${toJson(rows)}::jsonb)
      as r (version int, policy jsonb, note text, "by" text, "at" timestamptz)
    on conflict do nothing`.execute(tx)
}

/** Puts a policy in force that the site has. */
export const enforcePolicy = async (tx: Tx, siteId: number, version: number): Promise<void> => {
  await sql`
    update sites set policy_version = ${version}
    where id = ${siteId} and policy_version < ${version}
      and exists (select from policies where site_id = ${siteId} and version = ${version})`.execute(
    tx,
  )
}

export const insertBans = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into bans (site_id, id, kind, author_id, network, email_hash, domain, effect, reason, note, made_by, made_at,
      expires_at, lifted_by, lifted_at) overriding system value
    select ${siteId}, r.row, r.subject, r.author, r.network, decode(r.hash, 'hex'), r.domain, r.effect, r.reason,
      r.note, r.by, r.at, r.expires_at, r.lifted_by, r.lifted_at
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("row" bigint, subject ban_kind, author bigint, network cidr,
      hash text, domain text, effect ban_effect, reason decision_reason, note text, "by" text, "at" timestamptz,
      expires_at timestamptz, lifted_by text, lifted_at timestamptz)`.execute(tx)
}

/** An article that has a thread already keeps its settings. @returns the number of new threads */
export const insertThreads = async (tx: Tx, siteId: number, rows: Rows): Promise<number> => {
  const { rows: made } = await sql<{ id: number }>`
    insert into threads (site_id, article_id, long_article_id, title, url, state, closes_at, stays_open, slow_mode_seconds, moderation,
      created_at)
    select ${siteId}, ${keyOf(sql`r.article_id`)}, ${longIdOf(sql`r.article_id`)}, r.title, r.url, r.state, r.closes_at, r.stays_open, r.slow_mode_seconds,
      r.moderation, r.created_at
    from jsonb_to_recordset(${toJson(rows.map((row, place) => ({ ...row, place })))}::jsonb) as r (article_id text, title text, url text,
      state thread_state, closes_at timestamptz, stays_open boolean, slow_mode_seconds int, moderation moderation_mode,
      created_at timestamptz, place bigint)
    order by r.place on conflict do nothing returning id`.execute(tx)
  return made.length
}

/** Makes threads without comments aliases of others. */
export const insertAliases = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    update threads t set alias_of = o.id, alias_via = coalesce(v.id, o.id), is_bare = r.is_bare
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r (article_id text, "of" text, via text, is_bare boolean)
    join threads o on o.site_id = ${siteId} and o.article_id = ${keyOf(sql`r.of`)} and o.alias_of is null
    left join threads v on v.site_id = ${siteId} and v.article_id = ${keyOf(sql`r.via`)} and r.via <> r.article_id
    where t.site_id = ${siteId} and t.article_id = ${keyOf(sql`r.article_id`)} and t.alias_of is null and t.id <> o.id
      and not exists (select from comments c where c.site_id = ${siteId} and c.thread_id = t.id)
      and not exists (select from threads b where b.site_id = ${siteId} and b.alias_of = t.id)`.execute(
    tx,
  )
}

export const insertComments = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  const json = toJson(rows)
  await sql`
    insert into comments (site_id, thread_id, id, parent_id, parent_home_thread_id, depth, author_id, status, shadowed,
      pinned, locked, revision, created_at, published_at, edited_at, body, body_html, renderer, article_title,
      article_url, screening, policy_version, facts, packed_facts, packed_trace, risk, withdrawn_at, withdrawn_from,
      redacted_at) overriding system value
    select ${siteId}, r.thread, r.row, r.parent, r.parent_home, r.depth, r.author, r.status, r.shadowed, r.pinned,
      r.locked, r.revision, r.created_at, r.published_at, r.edited_at, r.body, r.html, r.renderer, r.title, r.url,
      r.screening, r.policy_version, r.facts, r.packed_facts, r.packed_trace, r.risk, r.withdrawn_at, r.withdrawn_from,
      r.redacted_at
    from jsonb_to_recordset(${json}::jsonb) as r (thread bigint, "row" bigint, parent bigint, parent_home bigint,
      depth int, author bigint, status comment_status, shadowed boolean, pinned boolean, locked boolean, revision int,
      created_at timestamptz, published_at timestamptz, edited_at timestamptz, body text, html text, renderer int,
      title text, url text, screening jsonb, policy_version int, facts jsonb, packed_facts text, packed_trace text,
      risk smallint, withdrawn_at timestamptz, withdrawn_from comment_status, redacted_at timestamptz)`.execute(
    tx,
  )
  await sql`
    insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible, active_at, upvotes,
      downvotes)
    select ${siteId}, r.thread, r.row, r.parent, r.created_at, ${isVisible('r.status')}, r.created_at, r.upvotes,
      r.downvotes
    from jsonb_to_recordset(${json}::jsonb) as r (thread bigint, "row" bigint, parent bigint, created_at timestamptz,
      status comment_status, upvotes int, downvotes int)`.execute(tx)
  await sql`
    update threads t set suggested_by = r.row, suggested_title = r.title, suggested_url = r.url
    from jsonb_to_recordset(${json}::jsonb)
      as r (thread bigint, "row" bigint, title text, url text, names_article boolean)
    where t.site_id = ${siteId} and t.id = r.thread and r.names_article and t.suggested_by is null`.execute(
    tx,
  )
}

/** Adds the votes that comments got in the other system since the last import. */
export const addVotesSince = async (
  tx: Tx,
  { siteId, originId }: { readonly siteId: number; readonly originId: number },
  rows: Rows,
): Promise<void> => {
  await sql`
    with changed as materialized (
      select i.source_id, r.row, r.thread, r.upvotes, r.downvotes, r.upvotes - i.upvotes as up,
        r.downvotes - i.downvotes as down
      from jsonb_to_recordset(${toJson(rows)}::jsonb)
        as r ("sourceId" text, "row" bigint, thread bigint, upvotes int, downvotes int)
      join imported_comments i
        on i.site_id = ${siteId} and i.origin_id = ${originId} and i.source_id = r."sourceId"
      where (i.upvotes, i.downvotes) <> (r.upvotes, r.downvotes)
    ),
    counted as (
      update comment_tallies k set upvotes = greatest(k.upvotes + c.up, 0), downvotes = greatest(k.downvotes + c.down, 0)
      from changed c where k.site_id = ${siteId} and k.thread_id = c.thread and k.comment_id = c.row
    )
    update imported_comments i set upvotes = c.upvotes, downvotes = c.downvotes
    from changed c where i.site_id = ${siteId} and i.origin_id = ${originId} and i.source_id = c.source_id`.execute(
    tx,
  )
}

export const insertRevisions = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into comment_revisions (site_id, comment_id, revision, body, body_html, replaced_at, replaced_by)
    select ${siteId}, r.comment, r.revision, r.body, r.html, r.replaced_at, r.by
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r (comment bigint, revision int, body text, html text,
      replaced_at timestamptz, "by" text)
    on conflict do nothing`.execute(tx)
}

export const insertVotes = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into votes (site_id, thread_id, comment_id, author_id, value, voted_at)
    select ${siteId}, r.thread, r.comment, r.author, r.value, r.at
    from jsonb_to_recordset(${toJson(rows)}::jsonb)
      as r (thread bigint, comment bigint, author bigint, value smallint, "at" timestamptz)
    on conflict do nothing`.execute(tx)
}

export const insertBatches = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into batches (site_id, id, kind, request, asked_by, asked_at, total, done, changed, outcomes, ended_at)
      overriding system value
    select ${siteId}, r.row, r.acts, r.request, r.by, r.at, r.total, r.done, r.changed, r.outcomes, r.ended_at
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("row" bigint, acts batch_kind, request jsonb, "by" text,
      "at" timestamptz, total int, done int, changed int, outcomes jsonb, ended_at timestamptz)`.execute(
    tx,
  )
}

export const insertDecisionRows = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into decisions (site_id, id, action, thread_id, comment_id, author_id, subject, from_status, to_status,
      before, after, reason, note, decided_by, decided_at, caused_by, undoes, batch_id, policy_version, held_ms)
      overriding system value
    select ${siteId}, r.row, r.action, r.thread, r.comment, r.author, r.subject, r.from, r.to, r.before, r.after,
      r.reason, r.note, r.by, r.at, r.cause, r.undone, r.batch, r.policy_version, r.held_ms
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("row" bigint, action decision_action, thread bigint,
      comment bigint, author bigint, subject text, "from" comment_status, "to" comment_status, before jsonb,
      after jsonb, reason decision_reason, note text, "by" text, "at" timestamptz, cause bigint, undone bigint,
      batch bigint, policy_version int, held_ms bigint)`.execute(tx)
}

export const insertFlags = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    with made as (
      insert into flags (site_id, thread_id, comment_id, author_id, reason, note, flagged_at, resolved_at, resolved_by)
      select ${siteId}, r.thread, r.comment, r.author, r.reason, r.note, r.at, r.resolved_at, r.decision
      from jsonb_to_recordset(${toJson(rows)}::jsonb) as r (thread bigint, comment bigint, author bigint,
        reason flag_reason, note text, "at" timestamptz, resolved_at timestamptz, decision bigint)
      on conflict do nothing returning thread_id, comment_id, resolved_at
    )
    update comments c set flag_count = c.flag_count + n.number
    from (
      select thread_id, comment_id, count(*) as number from made where resolved_at is null
      group by thread_id, comment_id
    ) n
    where c.site_id = ${siteId} and c.thread_id = n.thread_id and c.id = n.comment_id`.execute(tx)
}

export const insertAppeals = async (tx: Tx, siteId: number, rows: Rows): Promise<void> => {
  await sql`
    insert into appeals (site_id, id, thread_id, comment_id, author_id, text, appealed_at, decision_id, decided_by,
      outcome, note, answered_by, answered_at) overriding system value
    select ${siteId}, r.row, r.thread, r.comment, r.author, r.text, r.at, r.decision, r.by, r.outcome, r.note,
      r.answered_by, r.answered_at
    from jsonb_to_recordset(${toJson(rows)}::jsonb) as r ("row" bigint, thread bigint, comment bigint, author bigint,
      text text, "at" timestamptz, decision bigint, "by" text, outcome appeal_outcome, note text, answered_by text,
      answered_at timestamptz)`.execute(tx)
}

/**
 * Counts threads anew from the statuses of their comments: replies, times of activity and totals. The caller has
 * locked the threads.
 * @returns the threads that changed, which got a new version
 */
export const recountThreads = async (
  tx: Tx,
  siteId: number,
  threadIds: readonly number[],
): Promise<number[]> => {
  const { rows } = await sql<{ id: number }>`
    with recursive
    kept as (
      select c.thread_id, c.id, c.parent_id from comments c
      where c.site_id = ${siteId} and c.thread_id = any(${threadIds}::bigint[]) and ${isVisible('c.status')}
      union
      select p.thread_id, p.id, p.parent_id from kept k
      join comments p on p.site_id = ${siteId} and p.thread_id = k.thread_id and p.id = k.parent_id
    ),
    replies as (
      select c.thread_id, c.parent_id as id, count(*) as number, max(c.created_at) as newest
      from kept k
      join comments c on c.site_id = ${siteId} and c.thread_id = k.thread_id and c.id = k.id
      where c.parent_id <> 0 group by c.thread_id, c.parent_id
    ),
    tallied as (
      update comment_tallies k set reply_count = r.number, active_at = greatest(k.created_at, r.newest)
      from replies r
      where k.site_id = ${siteId} and k.thread_id = r.thread_id and k.comment_id = r.id
        and (k.reply_count, k.active_at) is distinct from (r.number, greatest(k.created_at, r.newest))
      returning k.thread_id
    ),
    totals as (
      select c.thread_id, count(*) as comments, count(*) filter (where c.parent_id = 0) as roots,
        max(c.created_at) as newest
      from comments c
      where c.site_id = ${siteId} and c.thread_id = any(${threadIds}::bigint[]) and ${isVisible('c.status')}
      group by c.thread_id
    )
    update threads t set comment_count = n.comments, root_count = n.roots, last_comment_at = n.newest,
      version = ${nextVersion}
    from totals n
    where t.site_id = ${siteId} and t.id = n.thread_id
      and ((t.comment_count, t.root_count, t.last_comment_at) is distinct from (n.comments, n.roots, n.newest)
        or t.id in (select thread_id from tallied))
    returning t.id`.execute(tx)
  return rows.map(({ id }) => id)
}
