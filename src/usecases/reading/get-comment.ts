import type { Comment, Thread } from '../../domain/comment/comment.ts'
import { applyShadowView, type ShadowView } from '../../domain/comment/shadow-view.ts'
import { isShown } from '../../domain/comment/status.ts'
import type { Page } from '../../domain/page-store.ts'
import { type Caller, isAuthor, mayModerate } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listWithAncestors } from '../../postgres/comments/comments.ts'
import { findCommentPage } from '../../postgres/comments/pages.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'
import { findShadowView } from './shadow-view.ts'
import { assertReached, findVersionedPage, type ThreadReadOptions } from './versioned-page.ts'

export type CommentRequest = ThreadReadOptions & {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  /** How many ancestors to return; undefined: no list of ancestors. */
  readonly ancestorCount: number | undefined
}

/** A comment with its nearest ancestors, root first. */
export type CommentInContext = {
  readonly thread: Thread
  readonly comment: Comment
  readonly ancestors: Comment[]
}

/** Returns a shown comment: itself, or a tombstone if only its replies are visible. */
export const getComment = async (
  context: Context,
  request: CommentRequest,
  present: (found: CommentInContext) => Page,
): Promise<Page> => {
  const { site, comment, atLeast, encoding } = request
  const siteId = site.id
  const view = await findShadowView(context, request, { id: comment.threadId })
  if (view)
    return context.pages.encode(present(await readShadowed(context, request, view)), encoding)
  const found = await context.threads.find({ siteId, id: comment.threadId }, atLeast)
  const current = assertReached(found, atLeast)
  if (!current) throw new Refusal('not_found')
  const read = () => readInContext(context, request)
  return findVersionedPage(context, current, { ...request, siteId }, { read, present })
}

const readInContext = async (
  context: Context,
  request: CommentRequest,
): Promise<CommentInContext> => {
  const { site, comment, ancestorCount = 0 } = request
  const { threadId, id: commentId } = comment
  const found = await findCommentPage(context.db, {
    siteId: site.id,
    threadId,
    commentId,
    ancestorCount,
  })
  const [first, ...rest] = found?.rows ?? []
  if (!found || !first) throw new Refusal('not_found')
  return { thread: found.thread, comment: first, ancestors: rest.reverse() }
}

/** Reads a comment for an author of shadowed comments in the thread. */
const readShadowed = async (
  context: Context,
  { site, comment: key, ancestorCount = 0 }: CommentRequest,
  view: ShadowView,
): Promise<CommentInContext> => {
  const at = { siteId: site.id, threadId: key.threadId, commentId: key.id, ancestorCount }
  const rows = await runQuery(listWithAncestors(context.db, at))
  const [comment, ...ancestors] = rows.map((row) => applyShadowView(view, row))
  if (!comment || !isShown(comment)) throw new Refusal('not_found')
  return { thread: view.thread, comment, ancestors: ancestors.reverse() }
}

/**
 * Returns a comment that readers may not see: any comment to a moderator, and a held comment to its
 * author. Undefined for every other caller. The ancestors have any status; an author gets none if
 * readers cannot see the thread.
 */
export const findRestrictedComment = async (
  context: Context,
  request: { site: Site; comment: CommentKey; caller: Caller; ancestorCount: number | undefined },
): Promise<Omit<CommentInContext, 'thread'> | undefined> => {
  const { site, comment: key, caller, ancestorCount = 0 } = request
  if (caller.kind === 'nobody') return undefined
  const at = { siteId: site.id, threadId: key.threadId, commentId: key.id, ancestorCount }
  const [comment, ...ancestors] = await runQuery(listWithAncestors(context.db, at))
  if (!comment) return undefined
  if (mayModerate(caller)) return { comment, ancestors: ancestors.reverse() }
  const isOwn = isAuthor(caller, comment.author)
  const isHeld = comment.status === 'pending' || comment.status === 'spam'
  if (!isOwn || !isHeld) return undefined
  const isVisible = await context.threads.find({ siteId: site.id, id: key.threadId }, 0)
  const above = isVisible ? ancestors.reverse() : []
  return { comment: { ...comment, status: 'pending' }, ancestors: above }
}
