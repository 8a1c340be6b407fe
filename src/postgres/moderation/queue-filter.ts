import { type RawBuilder, sql } from 'kysely'
import type { Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { hasFindingOf } from '../screening/stored-judgements.ts'
import { threadIdOf } from '../threads/aliases.ts'

/** The comments that a moderator asks for; a missing field matches all. */
export type QueueFilter = {
  readonly statuses: readonly Status[]
  readonly articleId?: string | undefined
  readonly authorId?: number | undefined
  /** Part of the text, in any case. */
  readonly q?: string | undefined
  /** Only comments with unresolved flags, or only those without. */
  readonly isFlagged?: boolean | undefined
  /** Only comments with a finding of this rule. */
  readonly rule?: string | undefined
  /** Only comments posted up to this time. */
  readonly until?: Instant | undefined
}

export const ofArticle = (siteId: number, articleId: string): RawBuilder<unknown> =>
  sql`c.thread_id = ${threadIdOf(siteId, articleId)}`

/** The condition of a filter on `comments c`, apart from the status. */
export const matchesFilter = (siteId: number, filter: QueueFilter): RawBuilder<unknown> => {
  const { articleId, authorId, q, isFlagged, rule, until } = filter
  const parts: RawBuilder<unknown>[] = [sql`true`]
  if (isFlagged !== undefined) parts.push(isFlagged ? sql`c.flag_count > 0` : sql`c.flag_count = 0`)
  if (articleId !== undefined) parts.push(ofArticle(siteId, articleId))
  if (authorId !== undefined) parts.push(sql`c.author_id = ${authorId}`)
  if (until !== undefined) parts.push(sql`c.created_at <= ${until}`)
  if (rule !== undefined) parts.push(hasFindingOf(rule))
  if (q !== undefined) parts.push(sql`c.body ilike ${`%${q.replace(/[\\%_]/g, '\\$&')}%`}`)
  return sql.join(parts, sql` and `)
}
