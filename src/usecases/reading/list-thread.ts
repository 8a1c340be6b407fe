import type { FoundThread } from '../../cache/threads.ts'
import type { Comment, Thread } from '../../domain/comment/comment.ts'
import { type Place, placeAfter } from '../../domain/comment/place.ts'
import {
  focusShadowView,
  mergeShadowed,
  type ShadowView,
} from '../../domain/comment/shadow-view.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import { isReadable } from '../../domain/comment/status.ts'
import {
  type Branch,
  growTree,
  type RankedComment,
  type TreePage,
} from '../../domain/comment/tree.ts'
import type { Page } from '../../domain/page-store.ts'
import type { Caller } from '../../domain/people/caller.ts'
import { type CommentKey, homeThreadIdOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findFlatPage, findTreePage, type PageRows } from '../../postgres/comments/pages.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { listStaffAmong, type Staff } from '../../postgres/people/members.ts'
import type { Context } from '../context.ts'
import { findShadowView } from './shadow-view.ts'
import { assertReached, findVersionedPage, type ThreadReadOptions } from './versioned-page.ts'

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
  /** Whether the page says which of its authors are listed as staff. */
  readonly withStaff: boolean
}

type GetThreadRequest = Pick<ThreadRequest, 'site' | 'caller' | 'articleId' | 'atLeast'>

export type FlatPage = { readonly items: readonly Comment[]; readonly next: Place | null }
type ThreadContent = { readonly thread: Thread } & (
  | ({ readonly view: 'tree' } & TreePage)
  | ({ readonly view: 'flat' } & FlatPage)
)
/** `staff`: the authors of the page whom the site lists as staff. */
export type ThreadPage = ThreadContent & { readonly staff: readonly Staff[] }

/** Returns the visible thread of an article; undefined if readers have never seen one. */
export const getThread = async (
  context: Context,
  { site, caller, articleId, atLeast }: GetThreadRequest,
): Promise<FoundThread | undefined> => {
  const view = await findShadowView(context, { site, caller }, { articleId })
  if (view) return { thread: view.thread, isConfirmed: true }
  const found = await context.threads.find({ siteId: site.id, articleId }, atLeast)
  return assertReached(found, atLeast)
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
  const view = await findShadowView(context, request, { articleId })
  if (view) {
    const page = await addStaff(context, request, await readShadowed(context, request, view))
    return context.pages.encode(present(page), encoding)
  }
  const found = await context.threads.find({ siteId, articleId }, atLeast)
  const current = assertReached(found, atLeast)
  if (focus && !current) throw new Refusal('not_found')
  if (!current) return undefined
  // The cursors of a page belong to the id by which it was read.
  const own = current.thread.articleId
  const variant = own === articleId ? request.variant : `${request.variant} ${articleId}`
  const read = () => readCurrent(context, { ...request, articleId: own })
  return findVersionedPage(context, current, { siteId, variant, encoding }, { read, present })
}

const readCurrent = async (context: Context, request: ThreadRequest): Promise<ThreadPage> =>
  addStaff(
    context,
    request,
    await (request.view === 'tree' ? readTree : readFlat)(context, request),
  )

/** Adds the staff whom readers meet on the page, so not the authors of its tombstones. */
const addStaff = async (
  { db }: Context,
  { site, withStaff }: ThreadRequest,
  page: ThreadContent,
): Promise<ThreadPage> => {
  if (!withStaff) return { ...page, staff: [] }
  const shown = page.view === 'tree' ? listComments(page.items) : page.items
  const authors = shown.filter(isReadable).map(({ author }) => author)
  const members = authors.filter(({ kind }) => kind === 'member').map(({ id }) => id)
  return { ...page, staff: await runQuery(listStaffAmong(db, site.id, [...new Set(members)])) }
}

const listComments = (branches: readonly Branch[]): Comment[] =>
  branches.flatMap(({ comment, replies }) => [comment, ...listComments(replies.items)])

const readTree = async (context: Context, request: ThreadRequest): Promise<ThreadContent> => {
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

const readFlat = async (context: Context, request: ThreadRequest): Promise<ThreadContent> => {
  const { thread, rows } = assertStillVisible(await findFlat(context, request))
  return toFlatPage(thread, rows, request)
}

const findFlat = (context: Context, { site, articleId, sort, after, limit }: ThreadRequest) =>
  findFlatPage(context.db, { siteId: site.id, articleId, sort, after, limit })

const toFlatPage = (
  thread: Thread,
  rows: readonly RankedComment[],
  page: Pick<ThreadRequest, 'sort' | 'after' | 'limit'>,
): ThreadContent => {
  const items = rows.slice(0, page.limit).filter(({ isOver }) => !isOver)
  const next = rows.length > items.length ? placeAfter(items, page) : null
  return { view: 'flat', thread, items, next }
}

/** Reads a page for an author of shadowed comments. */
const readShadowed = async (
  context: Context,
  request: ThreadRequest,
  shadowView: ShadowView,
): Promise<ThreadContent> => {
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
