import { sql } from 'kysely'
import type { Comment } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { FlagReason } from '../../domain/moderation/flag.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import { joinAddress } from '../comments/addresses.ts'
import {
  authorColumns,
  type CommentRow,
  commentColumns,
  joinTally,
  moderatedArticleColumns,
  toComment,
} from '../comments/rows.ts'
import type { Db } from '../connection/db.ts'
import { readFacts, readTrace, storedFacts, storedTrace } from '../screening/stored-judgements.ts'
import { articleIdOf } from '../threads/article-ids.ts'
import { isClaimed } from './claims.ts'

/** A reader's flag, as moderators see it. */
export type ModeratedFlag = {
  readonly reason: FlagReason
  readonly note: string | null
  readonly authorId: number
  readonly at: Instant
  /** A moderator has decided on the comment since the flag. */
  readonly isResolved: boolean
}

/** A comment as moderators see it. */
export type ModeratedComment = Comment & {
  /** Whether its author deleted the comment. */
  readonly isWithdrawn: boolean
  /** When an administrator removed the text for good. */
  readonly redactedAt: Instant | null
  /** Only the author sees the comment, as if it were published. */
  readonly isShadowed: boolean
  readonly email: string | null
  readonly network: string | null
  readonly screening: readonly Finding[] | null
  readonly risk: number
  readonly policyVersion: number | null
  readonly facts: Facts | null
  readonly articleTitle: string | null
  readonly articleUrl: string | null
  /** Whether staff named the article; a comment suggests the title and URL otherwise. */
  readonly isConfirmed: boolean
  /** Number of unresolved flags. */
  readonly flagCount: number
  /** The moderator who has claimed the comment, and until when. */
  readonly claimedBy: string | null
  readonly claimedUntil: Instant | null
  /** The latest 20 flags, resolved ones included. */
  readonly flags: readonly ModeratedFlag[]
}

type Row = CommentRow & {
  articleId: string
  flagCount: number
  screening: string | null
  facts: string | null
}

/** Comments of the site as moderators see them, in no order. */
export const listModerated = async (
  db: Db,
  siteId: number,
  keys: readonly CommentKey[],
): Promise<ModeratedComment[]> => {
  const { rows } = await sql<Row>`
    select ${commentColumns}, c.shadowed as is_shadowed,
      c.withdrawn_at is not null as is_withdrawn, c.redacted_at, ${storedTrace} as screening, c.risk,
      c.policy_version, ${storedFacts} as facts,
      d.network, c.flag_count, a.email, ${articleIdOf('t')} as article_id, ${moderatedArticleColumns},
      l.claimed_by, l.claimed_until, ${authorColumns}
    from unnest(${keys.map(({ threadId }) => threadId)}::bigint[],
      ${keys.map(({ id }) => id)}::bigint[]) as wanted (thread_id, id)
    join comments c on c.site_id = ${siteId} and c.thread_id = wanted.thread_id and c.id = wanted.id
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinTally} ${joinAddress}
    left join claims l
      on l.site_id = c.site_id and l.comment_id = c.id and ${isClaimed('l.claimed_until')}`.execute(
    db,
  )
  const flags = await listFlags(db, siteId, rows)
  return rows.map((row) => {
    const flagged = Object.assign(row, {
      flags: flags.get(row.id) ?? [],
      screening: row.screening === null ? null : readTrace(row.screening),
      facts: row.facts === null ? null : readFacts(row.facts),
    })
    return toComment(flagged, row.articleId) as unknown as ModeratedComment
  })
}

const MAX_FLAGS = 20

type FlagRow = ModeratedFlag & { readonly id: number }

/** The latest flags of each comment. */
const listFlags = async (
  db: Db,
  siteId: number,
  comments: readonly { threadId: number; id: number }[],
): Promise<Map<number, FlagRow[]>> => {
  if (comments.length === 0) return new Map()
  const { rows } = await sql<FlagRow>`
    select f.* from unnest(${comments.map(({ threadId }) => threadId)}::bigint[],
      ${comments.map(({ id }) => id)}::bigint[]) as c (thread_id, id)
    cross join lateral (
      select f.comment_id as id, f.reason, f.note, f.author_id, f.flagged_at as "at",
        f.resolved_at is not null as is_resolved
      from flags f
      where f.site_id = ${siteId} and f.thread_id = c.thread_id and f.comment_id = c.id
      order by f.flagged_at desc, f.author_id limit ${MAX_FLAGS}
    ) f`.execute(db)
  return Map.groupBy(rows, ({ id }) => id)
}
