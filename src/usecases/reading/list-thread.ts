import type { Comment, Thread } from '../../domain/comment/comment.ts'
import { mergeOwn, type OwnView, openAt } from '../../domain/comment/shadow-view.ts'
import type { Position, Sort } from '../../domain/comment/sort.ts'
import { growTree, type Placed, positionOf, type TreePage } from '../../domain/comment/tree.ts'
import type { Page } from '../../domain/page-store.ts'
import type { Caller } from '../../domain/people/caller.ts'
import { type CommentKey, homeOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findFlatPage, findTreePage, type PageRows } from '../../postgres/comments/pages.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import type { World } from '../context.ts'
import { findOwnView } from './shadow-view.ts'
import { findCurrentThread, findVersionedPage, type Reading } from './versioned-page.ts'

export type ThreadRequest = Reading & {
  readonly site: Site
  readonly caller: Caller
  readonly articleId: string
  readonly view: 'tree' | 'flat'
  readonly sort: Sort
  readonly after: Position | null
  readonly limit: number
  readonly depth: number
  readonly replies: number
  readonly focus: CommentKey | undefined
}

export type FlatPage = { readonly items: readonly Comment[]; readonly next: Position | null }
export type ThreadPage = { readonly thread: Thread } & (
  | ({ readonly view: 'tree' } & TreePage)
  | ({ readonly view: 'flat' } & FlatPage)
)

/**
 * One page of a thread, as the bytes that `present` makes of it. Undefined for an article without
 * a visible thread.
 */
export const listThread = async (
  world: World,
  request: ThreadRequest,
  present: (page: ThreadPage) => Page,
): Promise<Page | undefined> => {
  const { site, articleId, focus, atLeast, encoding } = request
  const siteId = site.id
  const own = await findOwnView(world, { ...request, thread: { articleId } })
  if (own) return world.pages.encode(present(await readOwn(world, request, own)), encoding)
  const current = await findCurrentThread(world, { siteId, articleId }, atLeast)
  if (focus && !current) throw new Refusal('not_found')
  if (!current) return undefined
  const read = () => (request.view === 'tree' ? readTree(world, request) : readFlat(world, request))
  return findVersionedPage(world, current, { ...request, siteId }, { read, present })
}

const readTree = async (world: World, request: ThreadRequest): Promise<ThreadPage> => {
  const { focus, limit } = request
  const { thread, rows } = stillThere(
    await findTree(world, request, { after: request.after, ...(focus && { focusId: focus.id }) }),
  )
  if (focus && !rows.some((row) => isFocus(row, focus))) throw new Refusal('not_found')
  return { view: 'tree', thread, ...growTree(rows, { parentId: 0, limit }) }
}

const isFocus = (row: CommentKey, focus: CommentKey): boolean =>
  row.id === focus.id && homeOf(row) === homeOf(focus)

const findTree = (
  world: World,
  request: ThreadRequest,
  opening: { focusId?: number; after: Position | null },
) => {
  const { site, articleId, sort, limit, depth, replies } = request
  const page = { sort, limit, depth, replies, ...opening }
  return findTreePage(world.db, { siteId: site.id, parent: { articleId }, ...page })
}

const readFlat = async (world: World, request: ThreadRequest): Promise<ThreadPage> => {
  const { thread, rows } = stillThere(await findFlat(world, request))
  return toFlatPage(thread, rows, request.limit)
}

const findFlat = (world: World, { site, articleId, sort, after, limit }: ThreadRequest) =>
  findFlatPage(world.db, { siteId: site.id, articleId, sort, after, limit })

const toFlatPage = (thread: Thread, rows: readonly Placed[], limit: number): ThreadPage => {
  const items = rows.slice(0, limit).filter(({ isOver }) => !isOver)
  const next = rows.length > items.length ? positionOf(items.at(-1)!) : null
  return { view: 'flat', thread, items, next }
}

/** For somebody who sees more than others do; of a thread that is there for nobody else, all of it. */
const readOwn = async (world: World, request: ThreadRequest, own: OwnView): Promise<ThreadPage> => {
  const { view, focus, sort, after, limit, depth, replies } = request
  const at = { sort, after, limit, focusId: focus?.id }
  if (view === 'flat') {
    const found = await asking(findFlat(world, request))
    return toFlatPage(own.thread, mergeOwn(found?.rows ?? [], own, at), limit)
  }
  const opening = focus ? openAt(own, focus.id) : { after }
  const found = await asking(findTree(world, request, opening))
  const tree = { parentId: 0, depth, replies }
  const rows = mergeOwn(found?.rows ?? [], own, { ...at, tree })
  if (focus && !rows.some((row) => isFocus(row, focus))) throw new Refusal('not_found')
  return { view, thread: own.thread, ...growTree(rows, { parentId: 0, limit }) }
}

/** The thread was visible a moment ago. The caller's next try finds it absent. */
const stillThere = (found: PageRows | undefined): PageRows => {
  if (!found) throw new Refusal('unavailable')
  return found
}
