import type { Reason } from '../../domain/comment/status.ts'
import { differenceOf } from '../../domain/moderation/decision.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listMovers } from '../../postgres/comments/move.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { insertDecision, insertDecisions } from '../../postgres/moderation/decisions.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  closeThread,
  ensureThread,
  findArticleSuggestion,
  findThreadId,
  findThreadSettings,
  hasComments,
  inheritSettings,
} from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import type { Decided } from '../decisions/decide-comment.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { acquireThreadLocks, assertMayPublish, moveRootBranches } from './move-branch.ts'

export type MergeRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly articleId: string
  /** The article whose thread receives the comments. */
  readonly into: string
  readonly reason: Reason | null
  readonly note: string | null
  /** Whether readers may see comments of a thread that is hidden. */
  readonly publish: boolean
  readonly idempotencyKey: IdempotencyKey | undefined
}

/**
 * Moves all comments of a thread into another article's thread, and closes the emptied one. A target
 * without comments also takes the settings of the source, so that a merge renames an article.
 */
export const mergeThreads = async <Answer>(
  context: Context,
  request: MergeRequest,
  present: (merged: Decided) => Answer,
): Promise<Answer> => {
  const { site, articleId, into, idempotencyKey } = request
  if (into === articleId)
    throw new Refusal('invalid_request', { '/into': 'must be another article' })
  const [from, known] = await Promise.all(
    [articleId, into].map((article) => runQuery(findThreadId(context.db, site.id, article))),
  )
  const threadIds = [from, known].filter((id) => id !== undefined)
  return withInvalidation(context, { siteId: site.id, threadIds, isHide: true }, () =>
    runOnce(context, idempotencyKey, async (tx) => {
      if (from === undefined) throw new Refusal('not_found')
      const to = await ensureThread(tx, site.id, into)
      if (to !== known) threadIds.push(to)
      return present(await merge(tx, request, { from, to }))
    }),
  )
}

type Threads = { readonly from: number; readonly to: number }

const merge = async (tx: Tx, request: MergeRequest, { from, to }: Threads): Promise<Decided> => {
  const { site, moderator, articleId, into, reason, note, publish } = request
  const siteId = site.id
  await acquireThreadLocks(tx, siteId, [from, to])
  const movers = await listMovers(tx, { siteId, threadId: from }, 0)
  const { state } = await findThreadSettings(tx, siteId, from)
  const isRename = !(await hasComments(tx, siteId, to))
  const before = await findThreadSettings(tx, siteId, to)
  const suggestion = await findArticleSuggestion(tx, siteId, from)
  const movedVersion = await moveRootBranches(tx, siteId, { from, to, movers })
  const version = await inheritSettings(tx, siteId, { from, to, isRename, suggestion })
  const after = await findThreadSettings(tx, siteId, to)
  const changes = differenceOf(before, after)
  assertMayPublish(movers, { from: state, to: after.state, publish })
  await closeThread(tx, siteId, from)
  const { state: emptied } = await findThreadSettings(tx, siteId, from)
  const origin = { siteId, by: callerIdOf(moderator), reason, note }
  const decision = await insertDecision(tx, {
    ...origin,
    action: 'move',
    subject: articleId,
    before: { article_id: articleId, state, into: changes.before },
    after: { article_id: into, state: emptied, into: changes.after },
  })
  const roots = movers.filter(({ parentId }) => parentId === 0)
  const rows = roots.map((root) => ({
    action: 'move' as const,
    threadId: to,
    commentId: root.id,
    causedBy: decision.id,
    before: { article_id: articleId, parent_id: null },
    after: { article_id: into, parent_id: null },
  }))
  if (rows.length > 0) await insertDecisions(tx, { ...origin, at: decision.at }, rows)
  return { decision, version: movedVersion === undefined ? undefined : version }
}
