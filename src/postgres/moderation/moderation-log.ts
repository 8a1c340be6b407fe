import { type RawBuilder, sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { DecisionAction } from '../../domain/moderation/decision.ts'
import { BY_RULES } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Db } from '../connection/db.ts'
import { threadIdOf } from '../threads/aliases.ts'
import { type Decision, decisionColumns } from './decisions.ts'

/** A missing field matches all decisions. */
export type ModerationLogFilter = {
  readonly comment?: CommentKey | undefined
  readonly batchId?: number | undefined
  readonly authorId?: number | undefined
  readonly articleId?: string | undefined
  readonly by?: string | undefined
  readonly action?: DecisionAction | undefined
  /** From this time (included) to that one (excluded). */
  readonly since?: Instant | undefined
  readonly until?: Instant | undefined
}

export type ModerationLogRequest = ModerationLogFilter & {
  readonly siteId: number
  readonly beforeId: number | null
  readonly limit: number
  /** A page scans at most this many decisions for those that match its filter. */
  readonly maxScanned?: number
}

export type ModerationLogPage = { readonly items: Decision[]; readonly nextId: number | null }

/** Columns of `decisions` that other rows tell. */
const relatedColumns = sql`(
  select u.id from decisions u where u.site_id = decisions.site_id and u.undoes = decisions.id
) as undone_by, (
  select b.asked_by from batches b where b.site_id = decisions.site_id and b.id = decisions.batch_id
    and decisions.decided_by = ${BY_RULES}
) as asked_by`

const MAX_SCANNED = 1_000

type Row = Decision & { readonly isWanted: boolean; readonly scanned: number }

/**
 * Decisions, latest first. One filter selects the range of an index; the page scans at most 1,000 decisions
 * of it for the other filters. A page can therefore be short, or empty, and still have a next page.
 */
export const listDecisions = async (
  db: Db,
  request: ModerationLogRequest,
): Promise<ModerationLogPage> => {
  const { siteId, beforeId, limit, maxScanned = MAX_SCANNED } = request
  const { lead, others } = chooseLead(request)
  const scan = others.length === 0 ? limit + 1 : maxScanned
  const { rows } = await sql<Row>`
    with scanned as (
      select *, ${sql.join([sql`true`, ...others], sql` and `)} as is_wanted from decisions
      where site_id = ${siteId} and ${rangeOf(lead, beforeId)} and ${idsOfTime(request)}
      order by ${lead ? sql`${lead.column} desc, id desc` : sql`id desc`} limit ${scan}
    )
    select ${decisionColumns}, ${relatedColumns}, is_wanted, (select count(*) from scanned) as scanned
    from scanned decisions
    where is_wanted or id = (select min(id) from scanned)
    order by id desc limit ${limit + 2}`.execute(db)
  const wanted = rows.filter(({ isWanted }) => isWanted)
  const items = wanted.slice(0, limit)
  const last = wanted.length > limit ? items.at(-1)! : rows.at(-1)
  const isOver = wanted.length <= limit && (last?.scanned ?? 0) < scan
  return { items, nextId: isOver ? null : last!.id }
}

/** Decisions by id, in no order. */
export const findDecisions = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<Decision[]> => {
  const { rows } = await sql<Decision>`
    select ${decisionColumns}, ${relatedColumns} from decisions
    where site_id = ${siteId} and id = any(${ids}::bigint[])`.execute(db)
  return rows
}

/** The filter whose index is used: its column and value, and the condition of a partial index. */
type LeadingFilter = {
  readonly column: RawBuilder<unknown>
  readonly value: RawBuilder<unknown>
  readonly where?: RawBuilder<unknown>
}

/** The filter that is likely to match the fewest decisions leads. */
const chooseLead = (
  request: ModerationLogRequest,
): { lead: LeadingFilter | undefined; others: RawBuilder<unknown>[] } => {
  const { siteId, comment, batchId, authorId, articleId, by, action, since, until } = request
  const isRareAction = action !== undefined && action !== 'status'
  const article =
    articleId === undefined ? sql`0` : sql`coalesce(${threadIdOf(siteId, articleId)}, 0)`
  const leads: LeadingFilter[] = [
    ...(comment === undefined ? [] : [{ column: sql`comment_id`, value: sql`${comment.id}` }]),
    ...(batchId === undefined ? [] : [{ column: sql`batch_id`, value: sql`${batchId}` }]),
    ...(authorId === undefined ? [] : [{ column: sql`author_id`, value: sql`${authorId}` }]),
    ...(articleId === undefined ? [] : [{ column: sql`thread_id`, value: article }]),
    ...(by === undefined ? [] : [{ column: sql`decided_by`, value: sql`${by}` }]),
    ...(isRareAction ? [{ column: sql`action`, value: sql.lit(action), where: NOT_STATUS }] : []),
  ]
  const [lead, ...rest] = leads
  const others = rest.map(({ column, value }) => sql`${column} is not distinct from ${value}`)
  if (comment !== undefined) others.push(sql`thread_id = ${comment.threadId}`)
  if (action === 'status') others.push(sql`action = 'status'`)
  if (since !== undefined) others.push(sql`decided_at >= ${since}`)
  if (until !== undefined) others.push(sql`decided_at < ${until}`)
  return { lead, others }
}

const NOT_STATUS = sql`action <> 'status'`

/**
 * Compares the column as a range. For an equality Postgres may ignore the column's index and read all
 * decisions by id; only that index can serve a range in this order.
 */
const rangeOf = (lead: LeadingFilter | undefined, beforeId: number | null): RawBuilder<unknown> => {
  const before = sql`${beforeId ?? Number.MAX_SAFE_INTEGER}::bigint`
  if (!lead) return sql`id < ${before}`
  const { column, value, where = sql`true` } = lead
  return sql`${where} and ${column} >= ${value} and (${column}, id) < (${value}, ${before})`
}

/** Ids do not follow times exactly: a transaction that began earlier may end later. */
const SLACK = sql`interval '1 minute'`

/** A range of ids that contains all decisions of the requested time. */
const idsOfTime = ({ siteId, since, until }: ModerationLogRequest): RawBuilder<unknown> => {
  const first = sql`coalesce((
    select id from decisions where site_id = ${siteId} and decided_at < ${since}::timestamptz - ${SLACK}
    order by decided_at desc, id desc limit 1), 0)`
  const end = sql`coalesce((
    select id from decisions where site_id = ${siteId} and decided_at > ${until}::timestamptz + ${SLACK}
    order by decided_at, id limit 1), ${Number.MAX_SAFE_INTEGER}::bigint)`
  return sql.join(
    [
      sql`true`,
      ...(since === undefined ? [] : [sql`id > ${first}`]),
      ...(until === undefined ? [] : [sql`id < ${end}`]),
    ],
    sql` and `,
  )
}
