import type { Comment, Thread } from '../../domain/comment.ts'
import type { Page } from '../../domain/page-store.ts'
import { type CommentKey, homeOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import type { Position, Sort } from '../../domain/sort.ts'
import { growTree, positionOf, type TreePage } from '../../domain/tree.ts'
import { findFlatPage, findTreePage, type PageRows } from '../../postgres/pages.ts'
import type { World } from '../world.ts'
import { findCurrentThread, findVersionedPage, type Reading } from './versioned-page.ts'

export type ThreadRequest = Reading & {
  readonly site: Site
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
  const { site, articleId, focus, atLeast } = request
  const siteId = site.id
  const current = await findCurrentThread(world, { siteId, articleId }, atLeast)
  if (focus && !current) throw new Refusal('not_found')
  if (!current) return undefined
  const read = () => (request.view === 'tree' ? readTree(world, request) : readFlat(world, request))
  return findVersionedPage(world, current, { ...request, siteId }, { read, present })
}

const readTree = async (world: World, request: ThreadRequest): Promise<ThreadPage> => {
  const { site, articleId, focus, sort, after, limit, depth, replies } = request
  const { thread, rows } = stillThere(
    await findTreePage(world.db, {
      siteId: site.id,
      parent: { articleId },
      sort,
      after,
      limit,
      depth,
      replies,
      ...(focus && { focusId: focus.id }),
    }),
  )
  if (focus && !rows.some((row) => isFocus(row, focus))) throw new Refusal('not_found')
  return { view: 'tree', thread, ...growTree(rows, { parentId: 0, limit }) }
}

const isFocus = (row: CommentKey, focus: CommentKey): boolean =>
  row.id === focus.id && homeOf(row) === homeOf(focus)

const readFlat = async (world: World, request: ThreadRequest): Promise<ThreadPage> => {
  const { site, articleId, sort, after, limit } = request
  const { thread, rows } = stillThere(
    await findFlatPage(world.db, { siteId: site.id, articleId, sort, after, limit }),
  )
  const items = rows.slice(0, limit).filter(({ isOver }) => !isOver)
  const next = rows.length > items.length ? positionOf(items.at(-1)!) : null
  return { view: 'flat', thread, items, next }
}

/** The thread was visible a moment ago. The caller's next try finds it absent. */
const stillThere = (found: PageRows | undefined): PageRows => {
  if (!found) throw new Refusal('unavailable')
  return found
}
