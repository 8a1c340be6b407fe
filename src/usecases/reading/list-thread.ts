import type { FoundThread } from '../../cache/threads.ts'
import type { Comment, Thread } from '../../domain/comment/comment.ts'
import { type Place, placeAfter } from '../../domain/comment/place.ts'
import {
  focusShadowView,
  mergeShadowed,
  type ShadowView,
} from '../../domain/comment/shadow-view.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import { growTree, type RankedComment, type TreePage } from '../../domain/comment/tree.ts'
import type { Page } from '../../domain/page-store.ts'
import type { Caller } from '../../domain/people/caller.ts'
import { type CommentKey, homeThreadIdOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findFlatPage, findTreePage, type PageRows } from '../../postgres/comments/pages.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'
import { findShadowView } from './shadow-view.ts'
import { findCurrentThread, findVersionedPage, type ThreadReadOptions } from './versioned-page.ts'

export type ThreadRequest = ThreadReadOptions & {
  readonly site: Site
  readonly caller: Caller
  readonly articleId: string
  readonly view: 'tree' | 'flat'
  readonly sort: Sort
  readonly after: Place | null
  readonly limit: number
  readonly depth: number
  readonly replies: number
  readonly focus: CommentKey | undefined
}

type GetThreadRequest = Pick<ThreadRequest, 'site' | 'caller' | 'articleId' | 'atLeast'>

export type FlatPage = { readonly items: readonly Comment[]; readonly next: Place | null }
export type ThreadPage = { readonly thread: Thread } & (
  | ({ readonly view: 'tree' } & TreePage)
  | ({ readonly view: 'flat' } & FlatPage)
)

/** Returns the visible thread of an article; undefined if readers have never seen one. */
export const getThread = async (
  context: Context,
  { site, caller, articleId, atLeast }: GetThreadRequest,
): Promise<FoundThread | undefined> => {
  const view = await findShadowView(context, { site, caller, thread: { articleId } })
  if (view) return { thread: view.thread, isConfirmed: true }
  return findCurrentThread(context, { siteId: site.id, articleId }, atLeast)
}

/**
 * Returns one page of a thread as the bytes that `present` makes; undefined if the article has no
 * visible thread.
 */
export const listThread = async (
  context: Context,
  request: ThreadRequest,
  present: (page: ThreadPage) => Page,
): Promise<Page | undefined> => {
  const { site, articleId, focus, atLeast, encoding } = request
  const siteId = site.id
  const view = await findShadowView(context, { ...request, thread: { articleId } })
  if (view)
    return context.pages.encode(present(await readShadowed(context, request, view)), encoding)
  const current = await findCurrentThread(context, { siteId, articleId }, atLeast)
  if (focus && !current) throw new Refusal('not_found')
  if (!current) return undefined
  const read = () =>
    request.view === 'tree' ? readTree(context, request) : readFlat(context, request)
  return findVersionedPage(context, current, { ...request, siteId }, { read, present })
}

const readTree = async (context: Context, request: ThreadRequest): Promise<ThreadPage> => {
  const { focus, sort, limit } = request
  const page = { parentId: 0, sort, after: request.after, limit }
  const start = { after: request.after, ...(focus && { focusId: focus.id }) }
  const { thread, rows } = assertStillVisible(await findTree(context, request, start))
  if (focus && !rows.some((row) => isFocus(row, focus))) throw new Refusal('not_found')
  return { view: 'tree', thread, ...growTree(rows, page) }
}

const isFocus = (row: CommentKey, focus: CommentKey): boolean =>
  row.id === focus.id && homeThreadIdOf(row) === homeThreadIdOf(focus)

const findTree = (
  context: Context,
  request: ThreadRequest,
  start: { focusId?: number; after: Place | null },
) => {
  const { site, articleId, sort, limit, depth, replies } = request
  const page = { sort, limit, depth, replies, ...start }
  return findTreePage(context.db, { siteId: site.id, parent: { articleId }, ...page })
}

const readFlat = async (context: Context, request: ThreadRequest): Promise<ThreadPage> => {
  const { thread, rows } = assertStillVisible(await findFlat(context, request))
  return toFlatPage(thread, rows, request)
}

const findFlat = (context: Context, { site, articleId, sort, after, limit }: ThreadRequest) =>
  findFlatPage(context.db, { siteId: site.id, articleId, sort, after, limit })

const toFlatPage = (
  thread: Thread,
  rows: readonly RankedComment[],
  page: Pick<ThreadRequest, 'sort' | 'after' | 'limit'>,
): ThreadPage => {
  const items = rows.slice(0, page.limit).filter(({ isOver }) => !isOver)
  const next = rows.length > items.length ? placeAfter(items, page) : null
  return { view: 'flat', thread, items, next }
}

/** Reads a page for an author of shadowed comments. */
const readShadowed = async (
  context: Context,
  request: ThreadRequest,
  shadowView: ShadowView,
): Promise<ThreadPage> => {
  const { view, focus, sort, after, limit, depth, replies } = request
  const at = { sort, after, limit, focusId: focus?.id }
  if (view === 'flat') {
    const found = await runQuery(findFlat(context, request))
    return toFlatPage(shadowView.thread, mergeShadowed(found?.rows ?? [], shadowView, at), request)
  }
  const start = focus ? focusShadowView(shadowView, focus.id) : { after }
  const found = await runQuery(findTree(context, request, start))
  const tree = { parentId: 0, depth, replies }
  const rows = mergeShadowed(found?.rows ?? [], shadowView, { ...at, tree })
  if (focus && !rows.some((row) => isFocus(row, focus))) throw new Refusal('not_found')
  return { view, thread: shadowView.thread, ...growTree(rows, { parentId: 0, sort, after, limit }) }
}

/** A thread that was hidden since its version was read is `unavailable` once, and then absent. */
const assertStillVisible = (found: PageRows | undefined): PageRows => {
  if (!found) throw new Refusal('unavailable')
  return found
}
