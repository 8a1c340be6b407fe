import { sql } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import { BY_RULES } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Facts, WrittenDraft } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import { joinAddress } from '../comments/addresses.ts'
import { type StoredJudgement, toColumns } from '../comments/comments.ts'
import type { Db, Tx } from '../connection/db.ts'
import { articleIdOf } from '../threads/article-ids.ts'
import { type JudgedWriter, joinWriter, writerColumns } from './judged-comments.ts'
import {
  hasFacts,
  judgedAt,
  readJudgement,
  storedChecks,
  storedFacts,
  storedTrace,
} from './stored-judgements.ts'

type SiteCommentKey = CommentKey & { readonly siteId: number }

/** The data of a comment that checks receive. */
export type Askable = {
  /** The threads that the public ids name. */
  readonly homeThreadId: number
  readonly parentHomeThreadId: number
  /** 0 for a root. */
  readonly parentId: number
  readonly articleId: string
  readonly articleUrl: string | null
  readonly revision: number
  readonly body: string
  readonly createdAt: Instant
  readonly readAt: Instant
  readonly isWithdrawn: boolean
  readonly authorKind: 'guest' | 'member'
  readonly authorName: string
  readonly authorUrl: string | null
  readonly authorEmail: string | null
  readonly network: string | null
  readonly checks: Facts['checks'] | null
}

/** Undefined if the comment does not exist or is redacted, or its author was erased. */
export const findAskable = async (db: Db, at: SiteCommentKey): Promise<Askable | undefined> => {
  const { rows } = await sql<Askable>`
    select coalesce(c.home_thread_id, c.thread_id) as home_thread_id,
      coalesce(c.parent_home_thread_id, c.thread_id) as parent_home_thread_id,
      c.parent_id, ${articleIdOf('t')} as article_id, coalesce(t.url, t.suggested_url, c.article_url) as article_url, c.revision, c.body,
      c.created_at, clock_timestamp()::timestamptz(3) as read_at, c.withdrawn_at is not null as is_withdrawn,
      a.kind as author_kind, a.name as author_name, a.url as author_url,
      a.email as author_email, d.network, ${storedChecks} as checks
    from comments c
    join threads t on t.site_id = c.site_id and t.id = c.thread_id
    join authors a on a.site_id = c.site_id and a.id = c.author_id
    ${joinAddress}
    where c.site_id = ${at.siteId} and c.thread_id = ${at.threadId} and c.id = ${at.id}
      and a.erased_at is null and c.redacted_at is null`.execute(db)
  return rows[0]
}

/** The stored judgement of a comment, and whether checks can still change its status. */
export type JudgementState = Omit<JudgedWriter, keyof WrittenDraft> & {
  readonly policyVersion: number
  readonly trace: readonly Finding[]
  /** Whether a decision was made since. */
  readonly isDecided: boolean
  /** Whether the checks may publish the comment; null if their work has ended. */
  readonly mayPublish: boolean | null
}

/** The caller holds the thread lock. Undefined if the comment was judged without facts. */
export const findJudged = async (
  tx: Tx,
  at: SiteCommentKey,
): Promise<JudgementState | undefined> => {
  const { rows } = await sql<JudgementState>`
    select ${storedFacts} as facts, c.policy_version, ${storedTrace} as trace, ${writerColumns}, (j.payload->>'mayPublish')::boolean as may_publish,
      exists (
        select from decisions d
        where d.site_id = c.site_id and d.thread_id = coalesce(c.home_thread_id, c.thread_id)
          and d.comment_id = c.id and d.action = 'status'
          and d.decided_at >= ${judgedAt} and d.decided_by <> ${BY_RULES}
      ) as is_decided
    from ${joinWriter}
    left join jobs j on j.site_id = c.site_id and j.kind = 'ask_checks' and j.key = c.id::text
    where c.site_id = ${at.siteId} and c.thread_id = ${at.threadId} and c.id = ${at.id}
      and ${hasFacts} and c.policy_version is not null
      and num_nonnulls(c.screening, c.packed_trace) > 0`.execute(tx)
  return rows[0] && readJudgement(rows[0])
}

export const updateJudgement = async (
  tx: Tx,
  at: SiteCommentKey,
  judged: StoredJudgement,
): Promise<void> => {
  await tx
    .updateTable('comments')
    .set(toColumns(judged))
    .where('siteId', '=', at.siteId)
    .where('threadId', '=', at.threadId)
    .where('id', '=', at.id)
    .execute()
}
