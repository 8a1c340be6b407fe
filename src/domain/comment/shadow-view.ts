import type { Comment, Thread } from './comment.ts'
import type { Position, Sort } from './sort.ts'
import { isShown, isVisible } from './status.ts'
import type { RankedComment } from './tree.ts'

/**
 * What one person has written in a thread that it alone sees, and sees as if it were published: as it is
 * placed and counted for that person. `thread` is how readers see it.
 */
export type ShadowView = {
  readonly thread: Thread
  /** In order of id; with tombstones where its own replies need them. */
  readonly own: readonly RankedComment[]
}

/** As its author sees what is shadowed. */
export const asPublished = <C extends Comment>(comment: C): C => ({
  ...comment,
  status: 'approved',
  publishedAt: comment.publishedAt ?? comment.createdAt,
})

/** A version of the thread that its author is told of, as after any change at that time. */
export const shadowVersion = (at: string, id: number): number => Date.parse(at) * 1000 + (id % 1000)

/**
 * @param rows all that the person has shadowed in the thread, in order of id, deleted comments included
 */
export const createShadowView = (thread: Thread, rows: readonly RankedComment[]): ShadowView => {
  const replies = new Map<number, number>()
  const shown: RankedComment[] = []
  for (const row of rows.toReversed()) {
    const comment = row.status === 'deleted' ? row : asPublished(row)
    if (!isShown({ ...comment, replyCount: row.replyCount + (replies.get(row.id) ?? 0) })) continue
    replies.set(row.parentId, (replies.get(row.parentId) ?? 0) + 1)
    shown.unshift(comment)
  }
  return {
    thread: countOwn(
      thread,
      rows,
      shown.filter(({ status }) => isVisible(status)),
    ),
    own: shown,
  }
}

const countOwn = (
  thread: Thread,
  rows: readonly RankedComment[],
  visible: readonly RankedComment[],
): Thread => {
  const times = visible.map(({ createdAt }) => createdAt)
  const versions = rows.map(({ editedAt, createdAt, id }) =>
    shadowVersion(editedAt ?? createdAt, id),
  )
  const newest = [thread.lastCommentAt, ...times].reduce((a, b) => ((a ?? '') > (b ?? '') ? a : b))
  return {
    ...thread,
    commentCount: thread.commentCount + visible.length,
    rootCount: thread.rootCount + visible.filter(({ parentId }) => parentId === 0).length,
    lastCommentAt: newest ?? null,
    version: Math.max(thread.version, ...versions),
  }
}

/** What of a comment depends on what its reader has shadowed: whether it is one, and how many replies it has. */
export const applyShadowView = <C extends Comment>({ own }: ShadowView, comment: C): C => {
  const mine = own.find(({ id }) => id === comment.id)
  const replyCount = comment.replyCount + countNew(own, comment.id)
  return mine
    ? { ...comment, status: mine.status, publishedAt: mine.publishedAt, replyCount }
    : { ...comment, replyCount }
}

/** A reply that is a tombstone for all readers is counted already. */
const countNew = (own: readonly RankedComment[], parentId: number): number =>
  own.filter((row) => row.parentId === parentId && row.replyCount === 0).length

export type MergedPage = {
  readonly sort: Sort
  readonly after: Position | null
  /** So many at the first level, and one more that tells of the rest. */
  readonly limit: number
  /** Undefined: the page is flat. */
  readonly tree?: { readonly parentId: number; readonly depth: number; readonly replies: number }
  /** A comment that the page shows wherever it stands. */
  readonly focusId?: number | undefined
}

/**
 * The rows of a page with those in between that only its reader sees, each where it would stand. What comes
 * after the end of a list comes with its continuation.
 * @param rows as they were read for all readers
 */
export const mergeShadowed = (
  rows: readonly RankedComment[],
  view: ShadowView,
  page: MergedPage,
): RankedComment[] => {
  const { limit, tree } = page
  const all = [...rows]
  const known = new Set(rows.map(({ id }) => id))
  const path = pathTo(page.focusId, [...rows, ...view.own])
  for (const one of view.own) {
    const isOut = known.has(one.id) || (!tree && !isVisible(one.status))
    if (isOut || !hasPlace(all, { rows, one, page, isForced: path.has(one.id) })) continue
    const isSibling = (row: RankedComment) => !tree || row.parentId === one.parentId
    const at = all.findIndex((row) => isSibling(row) && isBefore(one, row, page.sort))
    all.splice(at < 0 ? all.length : at, 0, one)
  }
  const starts = new Map(all.filter(({ id }) => path.has(id)).map((row) => [row.parentId, row]))
  const taken = new Map<number, number>()
  return all
    .filter((row) => {
      const start = starts.get(row.parentId)
      return start === undefined || start === row || isBefore(start, row, page.sort)
    })
    .filter(({ parentId }) => {
      const list = tree ? parentId : 0
      taken.set(list, (taken.get(list) ?? 0) + 1)
      const isFirst = !tree || parentId === tree.parentId
      return taken.get(list)! <= (isFirst ? limit + 1 : tree.replies)
    })
    .map((row) => applyShadowView(view, row))
}

type Candidate = {
  readonly rows: readonly RankedComment[]
  readonly one: RankedComment
  readonly page: MergedPage
  readonly isForced: boolean
}

/** Whether the list that it belongs to is on the page, and goes as far as it stands. */
const hasPlace = (
  all: readonly RankedComment[],
  { rows, one, page, isForced }: Candidate,
): boolean => {
  const { sort, after, limit, tree } = page
  if (!tree || one.parentId === tree.parentId) {
    const list = rows.filter(({ parentId }) => !tree || parentId === tree.parentId)
    const isPast = after === null || isBefore({ key: after[0], id: after[1] }, one, sort)
    return isForced || (isPast && (list.length <= limit || isBefore(one, list.at(-1)!, sort)))
  }
  const parent = all.find(({ id }) => id === one.parentId)
  const top = all.find(({ parentId }) => parentId === tree.parentId)
  if (!parent || parent.depth - top!.depth + 1 >= tree.depth) return false
  const list = rows.filter(({ parentId }) => parentId === one.parentId)
  const isWhole = list.length >= parent.replyCount
  return isForced || isWhole || (list.length > 0 && isBefore(one, list.at(-1)!, sort))
}

type Standing = { readonly key: number; readonly id: number }

const isBefore = (one: Standing, other: Standing, sort: Sort): boolean => {
  const difference = one.key - other.key || one.id - other.id
  return sort === 'oldest' ? difference < 0 : difference > 0
}

/** A comment and those above it: every list on the way to it starts with one of them. */
const pathTo = (id: number | undefined, rows: readonly RankedComment[]): ReadonlySet<number> => {
  const path = new Set<number>()
  for (let at = id; at !== undefined; ) {
    const row = rows.find((one) => one.id === at)
    if (row) path.add(row.id)
    at = row && row.parentId !== 0 ? row.parentId : undefined
  }
  return path
}

/**
 * How the rows are read on which a page opens at a comment: at the nearest one above it that all readers see,
 * and after the reader's own root.
 */
export const focusShadowView = (
  { own }: ShadowView,
  id: number | undefined,
): { focusId?: number; after: Position | null } => {
  const mine = own.find((row) => row.id === id)
  if (!mine) return { after: null, ...(id !== undefined && { focusId: id }) }
  if (mine.parentId === 0) return { after: [mine.key, mine.id] }
  return focusShadowView({ own } as ShadowView, mine.parentId)
}
