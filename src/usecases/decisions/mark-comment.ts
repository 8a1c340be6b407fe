import { descendantsOf } from '../../domain/comment/branch.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import type { Decision } from '../../postgres/moderation/decisions.ts'
import { listMarks, type Mark } from '../../postgres/moderation/marks.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import type { ThreadKey } from './decide-in-thread.ts'
import { type MarkChange, markAll } from './mark-all.ts'

export type MarkRequest = {
  readonly site: Site
  readonly moderator: StaffCaller
  readonly comment: CommentKey
  readonly is: boolean
  readonly claim: IdempotencyKey | undefined
}

export type MarkDecided = {
  readonly comment: CommentKey
  readonly is: boolean
  /** Null: it was so already. */
  readonly decision: Decision | null
  readonly version: number | undefined
}

/** Puts a mark on a comment, or takes it away; for a lock, with all that hangs below. */
export const markComment = <Answer>(
  context: Context,
  request: MarkRequest & { mark: Mark },
  present: (decided: MarkDecided) => Answer,
): Promise<Answer> => {
  const { site, comment, is, claim } = request
  const place = { siteId: site.id, threadId: comment.threadId }
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide: false }
  return withInvalidation(context, changes, () =>
    runOnce(context, claim, async (tx) => {
      await acquireThreadLock(tx, place, 'exclusive')
      const changes = await listChanges(tx, place, request)
      if (changes.length === 0) return present({ comment, is, decision: null, version: undefined })
      const by = { siteId: site.id, by: callerIdOf(request.moderator) }
      const { decisions, version } = await markAll(tx, place, { mark: request.mark, changes, by })
      return present({ comment, is, decision: decisions.get(comment.id)!, version })
    }),
  )
}

/** The comment itself first, whether it changes or only what hangs below it; nothing if neither does. */
const listChanges = async (
  tx: Tx,
  place: ThreadKey,
  { comment, mark, is }: MarkRequest & { mark: Mark },
): Promise<MarkChange[]> => {
  const members = await listMarks(tx, place, mark, comment.id)
  const [top] = members
  if (top?.id !== comment.id) throw new Refusal('not_found')
  const others = descendantsOf(top.id, members).filter(({ isMarked }) => isMarked !== is)
  if (top.isMarked === is && others.length === 0) return []
  return [top, ...others].map(({ id, isMarked }) => ({ id, was: isMarked, is }))
}
