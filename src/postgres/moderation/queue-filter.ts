import { type RawBuilder, sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'

/** Which comments moderators ask for; what is missing asks for nothing. */
export type QueueFilter = {
  readonly statuses: readonly Status[]
  readonly articleId?: string | undefined
  readonly authorId?: number | undefined
  /** Found anywhere in the text, in any case. */
  readonly q?: string | undefined
  /** Only those with flags that no moderator has decided on, or only those without. */
  readonly isFlagged?: boolean | undefined
  /** Only those on which this rule gave its opinion. */
  readonly rule?: string | undefined
  /** Written up to then. */
  readonly until?: Instant | undefined
}

export const ofArticle = (siteId: number, articleId: string): RawBuilder<unknown> => {
  const thread = sql`select id from threads where site_id = ${siteId} and article_id = ${articleId}`
  return sql`c.thread_id = (${thread})`
}

/** What a filter asks of `comments c` beside their status. */
export const isWanted = (siteId: number, filter: QueueFilter): RawBuilder<unknown> => {
  const { articleId, authorId, q, isFlagged, rule, until } = filter
  const parts: RawBuilder<unknown>[] = [sql`true`]
  if (isFlagged !== undefined) parts.push(isFlagged ? sql`c.flag_count > 0` : sql`c.flag_count = 0`)
  if (articleId !== undefined) parts.push(ofArticle(siteId, articleId))
  if (authorId !== undefined) parts.push(sql`c.author_id = ${authorId}`)
  if (until !== undefined) parts.push(sql`c.created_at <= ${until}`)
  if (rule !== undefined)
    parts.push(sql`c.screening @> jsonb_build_array(jsonb_build_object('rule', ${rule}::text))`)
  if (q !== undefined) parts.push(sql`c.body ilike ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}`)
  return sql.join(parts, sql` and `)
}
