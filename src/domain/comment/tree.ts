import type { Comment } from './comment.ts'
import type { Position } from './sort.ts'

/** The largest number of comments on a page, whatever limits the request sets per level. */
export const PAGE_BUDGET = 500

/** The largest size of a page's texts, source and HTML together. A page always has at least one comment. */
export const PAGE_BYTES = 2_097_152

/**
 * A comment of a page with its sort key. A comment with `isOver` is beyond the page's size: the page
 * leaves it and all later comments out, and the row only says that they exist.
 */
export type RankedComment = Comment & { readonly key: number; readonly isOver: boolean }

/** The start of the next replies: after a position, or at the first reply. Null if the page shows all. */
export type Continuation = Position | 'start' | null

export type Branch = {
  readonly comment: Comment
  readonly replies: {
    readonly items: Branch[]
    readonly remaining: number
    readonly next: Continuation
  }
}

export type TreePage = { readonly items: Branch[]; readonly next: Position | null }

/**
 * Joins the rows of one page into branches.
 * @param rows breadth first, siblings in sort order; of the children of `parentId` at most `limit + 1`,
 *   the last of which only says that a next page exists
 */
export const growTree = (
  rows: readonly RankedComment[],
  page: { parentId: number; limit: number },
): TreePage => {
  const children = Map.groupBy(withinBudget(rows, page), (row) => row.parentId)
  const top = children.get(page.parentId) ?? []
  const more = rows.filter((row) => row.parentId === page.parentId).length > top.length
  return {
    items: top.map((row) => growBranch(row, children)),
    next: more ? positionOf(top.at(-1)!) : null,
  }
}

export const positionOf = (row: RankedComment): Position => [row.key, row.id]

const withinBudget = (
  rows: readonly RankedComment[],
  page: { parentId: number; limit: number },
) => {
  let top = 0
  return rows
    .filter((row) => row.parentId !== page.parentId || ++top <= page.limit)
    .slice(0, PAGE_BUDGET)
    .filter(({ isOver }) => !isOver)
}

const growBranch = (row: RankedComment, children: Map<number, RankedComment[]>): Branch => {
  const shown = children.get(row.id) ?? []
  const remaining = row.replyCount - shown.length
  const last = shown.at(-1)
  const next = remaining === 0 ? null : last ? positionOf(last) : 'start'
  return {
    comment: row,
    replies: { items: shown.map((child) => growBranch(child, children)), remaining, next },
  }
}
