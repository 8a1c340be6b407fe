import type { Thread } from '../../domain/comment/comment.ts'
import type { Place } from '../../domain/comment/place.ts'
import { mergeShadowed, type ShadowView } from '../../domain/comment/shadow-view.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import { growTree, type TreePage } from '../../domain/comment/tree.ts'
import type { Page } from '../../domain/page-store.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findTreePage } from '../../postgres/comments/pages.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'
import { findShadowView } from './shadow-view.ts'
import { assertReached, findVersionedPage, type ThreadReadOptions } from './versioned-page.ts'

export type RepliesRequest = ThreadReadOptions & {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly sort: Sort
  readonly after: Place | null
  readonly limit: number
  readonly depth: number
  readonly replies: number
}

export type RepliesPage = { readonly thread: Thread } & TreePage

/** Returns one page of the direct replies to a shown comment. `depth` counts from these replies. */
export const listReplies = async (
  context: Context,
  request: RepliesRequest,
  present: (page: RepliesPage) => Page,
): Promise<Page> => {
  const { site, comment, atLeast, encoding } = request
  const siteId = site.id
  const view = await findShadowView(context, request, { id: comment.threadId })
  if (view)
    return context.pages.encode(present(await readShadowed(context, request, view)), encoding)
  const found = await context.threads.find({ siteId, id: comment.threadId }, atLeast)
  const current = assertReached(found, atLeast)
  if (!current) throw new Refusal('not_found')
  const read = () => readReplies(context, request)
  return findVersionedPage(context, current, { ...request, siteId }, { read, present })
}

const readReplies = async (context: Context, request: RepliesRequest): Promise<RepliesPage> => {
  const { comment, sort, after, limit } = request
  const found = await findReplies(context, request)
  if (!found) throw new Refusal('not_found')
  return {
    thread: found.thread,
    ...growTree(found.rows, { parentId: comment.id, sort, after, limit }),
  }
}

const findReplies = (context: Context, request: RepliesRequest) => {
  const { site, comment, sort, after, limit, depth, replies } = request
  const parent = { threadId: comment.threadId, commentId: comment.id }
  return findTreePage(context.db, { siteId: site.id, parent, sort, after, limit, depth, replies })
}

/** Reads a page for an author of shadowed comments. */
const readShadowed = async (
  context: Context,
  request: RepliesRequest,
  view: ShadowView,
): Promise<RepliesPage> => {
  const { comment, sort, after, limit, depth, replies } = request
  const parentId = comment.id
  const found = await runQuery(findReplies(context, request))
  if (!found && !view.own.some(({ id }) => id === parentId)) throw new Refusal('not_found')
  const tree = { parentId, depth, replies }
  const rows = mergeShadowed(found?.rows ?? [], view, { sort, after, limit, tree })
  return { thread: view.thread, ...growTree(rows, { parentId, sort, after, limit }) }
}
