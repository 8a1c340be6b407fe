import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import { checksJob, checksJobKey } from '../../domain/job.ts'
import type { BanMatch } from '../../domain/moderation/ban.ts'
import { callerIdOf, mayModerate } from '../../domain/people/caller.ts'
import { checkTimingOf } from '../../domain/screening/check-facts.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { CommentForWrite } from '../../postgres/comments/comments.ts'
import { reviseComment } from '../../postgres/comments/revisions.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { sendTogether } from '../../postgres/connection/pipeline.ts'
import { enqueueJob, findJob } from '../../postgres/jobs/jobs.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { insertArrivals } from '../../postgres/screening/arrivals.ts'
import { type ThreadForWrite, touchThread } from '../../postgres/threads/threads.ts'
import { changeStatus } from '../decisions/change-status.ts'
import type { Edit, Edited } from './edit.ts'
import { editShadowed } from './edit-shadowed.ts'
import { judgeText, mustHide } from './judge-text.ts'

/** The rows that an edit depends on, read under the lock of its thread. */
export type EditTarget = {
  readonly comment: CommentForWrite
  readonly thread: ThreadForWrite
  /** The bans that match the author. */
  readonly bans: readonly BanMatch[]
}

/** Makes one edit that was found allowed, whatever it does to the comment's status. */
export const editAlone = async (
  tx: Tx,
  edit: Edit,
  { comment, thread, bans }: EditTarget,
): Promise<Edited> => {
  const { site, caller, body, bodyHtml } = edit
  const byModerator = mayModerate(caller)
  const judged = byModerator ? undefined : await judgeText(tx, { ...edit, comment, thread, bans })
  const wasVisible = isVisible(comment.status)
  const by = byModerator ? callerIdOf(caller) : storedId('author', comment.author.id)
  const [[revised]] = await sendTogether(tx, [
    reviseComment(site.id, RENDERER_VERSION, { comment, body, bodyHtml, judged, by }),
    judged && insertArrivals(site.id, [judged.arrival]),
  ])
  const edited = { ...comment, ...revised!, body, bodyHtml }
  if (byModerator) await recordEdit(tx, edit, comment, by)
  if (judged && (judged.isShadowed || comment.shadows.length > 0)) {
    const shadow = await editShadowed(tx, { siteId: site.id, before: comment, edited, judged })
    return { ...shadow, checking: 'never' }
  }
  const checking = judged ? checkTimingOf(judged.trace, judged.facts) : 'never'
  if (checking !== 'never') {
    const waiting = await findJob(tx, checksJobKey({ siteId: site.id, id: comment.id }))
    const mayPublish = wasVisible || waiting?.payload.mayPublish === true
    await enqueueJob(tx, checksJob(site.id, comment, mayPublish))
  }
  if (judged && mustHide(comment, judged.verdict)) {
    const change = { siteId: site.id, to: judged.verdict } as const
    const { version } = await changeStatus(tx, comment, change)
    return { comment: { ...edited, status: 'pending' }, version, checking }
  }
  return {
    checking,
    // Authors are not told whether their comment is pending or spam.
    comment: byModerator || wasVisible ? edited : { ...edited, status: 'pending' },
    version: wasVisible ? await touchThread(tx, site.id, thread.id) : undefined,
  }
}

/** Records a moderator's edit without the texts: only the revisions have them, and can be erased. */
const recordEdit = async (
  tx: Tx,
  { site }: Edit,
  { threadId, id: commentId, revision }: CommentForWrite,
  by: string,
): Promise<void> => {
  const decision = { siteId: site.id, by, action: 'edit', threadId, commentId } as const
  await insertDecision(tx, { ...decision, before: { revision }, after: { revision: revision + 1 } })
}
