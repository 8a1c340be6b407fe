import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { isTransitionAllowed, isVisible } from '../../domain/comment/status.ts'
import { BY_IMPORT } from '../../domain/people/caller.ts'
import type { Imported } from '../../postgres/importing/find-imported.ts'
import {
  findImportedState,
  type ImportedState,
  pinImported,
  rememberImported,
  reviseImported,
  voteImported,
} from '../../postgres/importing/update-imported.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { touchThread } from '../../postgres/threads/threads.ts'
import type { PreparedComment } from '../../workers/importing/prepare-comments.ts'
import { changeStatus } from '../decisions/change-status.ts'
import type { Store } from './store.ts'

/** A comment that the other system has changed since the last import. */
export type Changed = {
  readonly comment: PreparedComment
  /** In the batch. */
  readonly place: number
  readonly imported: Imported
}

/**
 * Changes what the other system changed since the last import, and leaves what somebody has decided or edited here
 * since. A change of the status is a decision, which moderators find in the log and can undo.
 */
export const updateImported = async (
  store: Store,
  { comment, place, imported }: Changed,
): Promise<void> => {
  const { run, known, batch, db, tx, effects } = store
  const siteId = run.site.id
  const now = await findImportedState(db, siteId, imported)
  if (!now) return effects.skip('moved_or_deleted')
  const isNewText = comment.textHash !== imported.textHash
  const isNewStatus = comment.status !== imported.status
  const mayRevise = isNewText && !now.isEditedHere
  const mayDecide = isNewStatus && mayTakeStatus(now, comment, imported)
  const isNewVotes =
    comment.upvotes !== imported.upvotes || comment.downvotes !== imported.downvotes
  const isNewPin = comment.isPinned !== imported.pinned && now.pinned === imported.pinned
  if (isNewText && !mayRevise) effects.keep(comment.id, 'text')
  if (isNewStatus && !mayDecide && now.status !== comment.status) effects.keep(comment.id, 'status')
  effects.count(mayRevise || mayDecide || isNewVotes || isNewPin ? 'updated' : 'unchanged')
  if (!tx) return
  const at = { siteId, threadId: now.threadId, id: imported.commentId }
  if (mayRevise)
    await reviseImported(tx, at, { ...batch, place: place + 1, renderer: RENDERER_VERSION })
  if (isNewVotes) {
    const up = comment.upvotes - imported.upvotes
    await voteImported(tx, at, { up, down: comment.downvotes - imported.downvotes })
  }
  if (isNewPin) await pinImported(tx, at, comment.isPinned)
  if (mayDecide) {
    const { status: from } = now
    await insertDecision(tx, {
      siteId,
      by: BY_IMPORT,
      threadId: imported.homeThreadId,
      commentId: imported.commentId,
      from,
      to: comment.status,
    })
    await changeStatus(tx, { ...at, status: from }, { siteId, to: comment.status })
  } else if (isVisible(now.status)) await touchThread(tx, siteId, now.threadId)
  if (isVisible(now.status) || isVisible(comment.status)) effects.touchedThreads.add(now.threadId)
  await rememberImported(tx, { siteId, originId: known.originId, sourceId: comment.id }, comment)
}

/** Whether the status is still the one that the last import gave, and a moderator could change it so. */
const mayTakeStatus = (
  now: ImportedState,
  { status }: PreparedComment,
  imported: Imported,
): boolean =>
  now.status === imported.status && !now.staysDeleted && isTransitionAllowed(now.status, status)
