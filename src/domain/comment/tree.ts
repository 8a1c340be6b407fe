import type { Comment } from './comment.ts'
import { type Place, placeAfter } from './place.ts'
import type { Sort } from './sort.ts'

/** The largest number of comments on a page, whatever limits the request sets per level. */
export const PAGE_BUDGET = 500

/** The largest size of a page's texts, source and HTML together. A page always has at least one comment. */
export const PAGE_BYTES = 2_097_152

/**
 * A comment of a page with its sort key. A comment with `isOver` is beyond the page's size: the page
 * leaves it and all later comments out, and the row only says that they exist.
 */
export type RankedComment = Comment & { readonly key: number; readonly isOver: boolean }

/** The start of the next replies: a place, or the first reply. Null if the page shows all. */
export type Continuation = Place | 'start' | null

export type Branch = {
  readonly comment: Comment
  readonly replies: {
    readonly items: Branch[]
    readonly remaining: number
    readonly next: Continuation
  }
}

export type TreePage = { readonly items: Branch[]; readonly next: Place | null }

/**
 * Joins the rows of one page into branches.
 * @param rows breadth first, siblings in sort order; of the children of `parentId` at most `limit + 1`,
 *   the last of which only says that a next page exists
 */
export const growTree = (rows: readonly RankedComment[], page: Page): TreePage => {
  const children = Map.groupBy(withinBudget(rows, page), (row) => row.parentId)
  const top = children.get(page.parentId) ?? []
  const more = rows.filter((row) => row.parentId === page.parentId).length > top.length
  return {
    items: top.map((row) => growBranch(row, children, page.sort)),
    next: more ? placeAfter(top, page) : null,
  }
}

type Page = {
  readonly parentId: number
  readonly sort: Sort
  readonly after: Place | null
  readonly limit: number
}

const withinBudget = (rows: readonly RankedComment[], page: Page) => {
  let top = 0
  return rows
    .filter((row) => row.parentId !== page.parentId || ++top <= page.limit)
    .slice(0, PAGE_BUDGET)
    .filter(({ isOver }) => !isOver)
}

const growBranch = (
  row: RankedComment,
  children: Map<number, RankedComment[]>,
  sort: Sort,
): Branch => {
  const shown = children.get(row.id) ?? []
  const remaining = row.replyCount - shown.length
  const isStart = shown.length === 0
  const next = remaining === 0 ? null : isStart ? 'start' : placeAfter(shown, { sort, after: null })
  return {
    comment: row,
    replies: { items: shown.map((child) => growBranch(child, children, sort)), remaining, next },
  }
}
