import type { Comment } from './comment.ts'
import type { Position } from './sort.ts'

/** No page holds more comments than this, whatever was asked for at each level. */
export const PAGE_BUDGET = 500

/** Nor more text, source and HTML together; but always one comment. */
export const PAGE_BYTES = 2_097_152

/**
 * A comment of a page, with the sort's key that says where it stands among its siblings. One that
 * `isOver` was left out for its size, with all that follow, and only tells that they are there.
 */
export type RankedComment = Comment & { readonly key: number; readonly isOver: boolean }

/** Where to read on: after a position, from the first reply, or nowhere because all is shown. */
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
 * @param rows breadth first, siblings in order: at most `limit + 1` children of `parentId`, where
 *   the last one only tells that there are more, and below them whatever was read
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
