import { assertMayWrite, type Caller, isAuthor, mayModerate, nameOf } from '../../domain/caller.ts'
import type { Comment } from '../../domain/comment.ts'
import { RENDERER_VERSION, renderMarkdown } from '../../domain/markdown.ts'
import { authorId, type CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { screen } from '../../domain/screening/screen.ts'
import { SHIPPED_POLICY } from '../../domain/screening/shipped.ts'
import type { Site } from '../../domain/site.ts'
import { isVisible } from '../../domain/status.ts'
import { holdWriters } from '../../postgres/authors.ts'
import {
  type CommentForWrite,
  findCommentForWrite,
  reviseComment,
} from '../../postgres/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { lockThread } from '../../postgres/connection/transaction.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import { findThreadForWrite, type ThreadForWrite, touchThread } from '../../postgres/threads.ts'
import { announcing } from '../announce.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'
import { changeStatus } from './change-status.ts'
import { factsKnown } from './facts-known.ts'

export type EditRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly body: string
  /** The revision that the caller has seen, if it says so. */
  readonly ifRevision: number | undefined
  readonly claim: Claim | undefined
}

export type Edited = { readonly comment: Comment; readonly version: number | undefined }

/** Replaces the text. An author's edit is screened again and may be held; a moderator's is not. */
export const editComment = <Answer>(
  world: World,
  request: EditRequest,
  present: (edited: Edited) => Answer,
): Promise<Answer> => {
  assertMayWrite(request.caller)
  if (request.caller.kind === 'nobody') throw new Refusal('login_required')
  const bodyHtml = renderMarkdown(request.body)
  const { site, comment: key } = request
  const changes = { siteId: site.id, threadIds: [key.threadId], isHide: true }
  const replace = async (tx: Tx): Promise<Answer> => {
    await lockThread(tx, { siteId: site.id, threadId: key.threadId }, 'alone')
    const thread = await findThreadForWrite(tx, site.id, key.threadId)
    const comment = await findCommentForWrite(tx, { siteId: site.id, ...key })
    if (!thread || !comment) throw new Refusal('not_found')
    // Held, so that an erasure finds the answer that repeats its text.
    const authors = await holdWriters(tx, site.id, [comment.author.id])
    if (!authors.has(comment.author.id)) throw new Refusal('not_found')
    assertMayEdit(request, comment, thread)
    return present(await edit(tx, request, { comment, thread, bodyHtml }))
  }
  return announcing(world, changes, () => answerOnce(world, request.claim, replace))
}

const assertMayEdit = (
  { site, caller, ifRevision }: EditRequest,
  comment: CommentForWrite,
  thread: ThreadForWrite,
): void => {
  if (!mayModerate(caller)) {
    const isOwn = isAuthor(caller, comment.author)
    const isAlive = comment.status !== 'deleted' && comment.status !== 'rejected'
    if (!isOwn && isVisible(comment.status) && thread.state !== 'hidden')
      throw new Refusal('forbidden')
    if (!isOwn || !isAlive) throw new Refusal('not_found')
    if (thread.state === 'locked' || comment.locked) throw new Refusal('thread_locked')
    const ageMs = Date.parse(comment.readAt) - Date.parse(comment.createdAt)
    if (ageMs > site.editWindowSeconds * 1000) throw new Refusal('edit_window_over')
  }
  if (ifRevision !== undefined && ifRevision !== comment.revision)
    throw new Refusal('edit_conflict')
}

const edit = async (
  tx: Tx,
  request: EditRequest,
  {
    comment,
    thread,
    bodyHtml,
  }: { comment: CommentForWrite; thread: ThreadForWrite; bodyHtml: string },
): Promise<Edited> => {
  const { site, caller, body } = request
  const facts = factsKnown({
    siteModeration: site.moderation,
    threadModeration: thread.moderation,
  })
  const { verdict, trace } = screen(
    { body, authorName: comment.author.name, authorUrl: comment.author.url },
    facts,
    SHIPPED_POLICY,
  )
  const byModerator = mayModerate(caller)
  const revised = await reviseComment(tx, site.id, comment, {
    body,
    bodyHtml,
    renderer: RENDERER_VERSION,
    screening: byModerator ? undefined : JSON.stringify(trace),
    by: byModerator ? nameOf(caller) : authorId(comment.author.id),
  })
  const edited = { ...comment, ...revised, body, bodyHtml }
  const wasVisible = isVisible(comment.status)
  if (wasVisible && verdict === 'pending' && !byModerator) {
    const change = { siteId: site.id, to: 'pending', replies: 'keep' } as const
    const { version } = await changeStatus(tx, comment, change)
    return { comment: { ...edited, status: 'pending' }, version }
  }
  return {
    // Whether it is pending or spam is not for its author to know.
    comment: byModerator || wasVisible ? edited : { ...edited, status: 'pending' },
    version: wasVisible ? await touchThread(tx, site.id, thread.id) : undefined,
  }
}
