import type { Comment, Thread } from './comment.ts'
import { isTail, orderAt, type Place } from './place.ts'
import type { Sort } from './sort.ts'
import { isShown, isVisible } from './status.ts'
import type { RankedComment } from './tree.ts'

/**
 * A thread as the author of shadowed comments sees it: with these comments as if published, in their
 * places and counted. Everyone else sees the thread without them.
 */
export type ShadowView = {
  readonly thread: Thread
  /** The author's shadowed comments by id, and the tombstones above their visible replies. */
  readonly own: readonly RankedComment[]
}

/** Returns a shadowed comment as its author sees it. */
export const asPublished = <C extends Comment>(comment: C): C => ({
  ...comment,
  status: 'approved',
  publishedAt: comment.publishedAt ?? comment.createdAt,
})

/** The thread version that the author gets after a change to a shadowed comment at that time. */
export const shadowVersion = (at: string, id: number): number => Date.parse(at) * 1000 + (id % 1000)

/**
 * Adds an author's shadowed comments to the counts and the version of a thread.
 * @param rows all shadowed comments of the author in the thread by id, deleted ones included
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
    thread: countShadowed(
      thread,
      rows,
      shown.filter(({ status }) => isVisible(status)),
    ),
    own: shown,
  }
}

const countShadowed = (
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

/** Gives a comment the status and the reply count that the author of the shadowed comments sees. */
export const applyShadowView = <C extends Comment>({ own }: ShadowView, comment: C): C => {
  const mine = own.find(({ id }) => id === comment.id)
  const replyCount = comment.replyCount + countShadowedReplies(own, comment.id)
  return mine
    ? { ...comment, status: mine.status, publishedAt: mine.publishedAt, replyCount }
    : { ...comment, replyCount }
}

/** Counts the shadowed replies, but not a tombstone that every reader sees: it is counted already. */
const countShadowedReplies = (own: readonly RankedComment[], parentId: number): number =>
  own.filter((row) => row.parentId === parentId && row.replyCount === 0).length

export type MergedPage = {
  readonly sort: Sort
  readonly after: Place | null
  /** The largest number of comments at the first level. One more row says that a next page exists. */
  readonly limit: number
  /** Undefined if the page is flat. */
  readonly tree?: { readonly parentId: number; readonly depth: number; readonly replies: number }
  /** A comment that the page must include, wherever the sort places it. */
  readonly focusId?: number | undefined
}

/**
 * Inserts an author's shadowed comments into the rows of a page, each at its place in the sort.
 * A shadowed comment after the end of a list appears on the page of its continuation.
 * @param rows the rows that every reader sees
 */
export const mergeShadowed = (
  rows: readonly RankedComment[],
  view: ShadowView,
  page: MergedPage,
): RankedComment[] => {
  const { limit, tree } = page
  const isTop = (row: RankedComment) => !tree || row.parentId === tree.parentId
  const sortOf = (row: RankedComment) => (isTop(row) ? orderAt(page.sort, page.after) : page.sort)
  const keyed = (row: RankedComment) =>
    isTail(page.after) && isTop(row) ? { ...row, key: Date.parse(row.createdAt) } : row
  const all = [...rows]
  const known = new Set(rows.map(({ id }) => id))
  const path = pathTo(page.focusId, [...rows, ...view.own])
  for (const one of view.own.map(keyed)) {
    const isOut = known.has(one.id) || (!tree && !isVisible(one.status))
    if (isOut || !belongsOnPage(all, { rows, one, page, isForced: path.has(one.id) })) continue
    const isSibling = (row: RankedComment) => !tree || row.parentId === one.parentId
    const at = all.findIndex((row) => isSibling(row) && isBefore(one, row, sortOf(one)))
    all.splice(at < 0 ? all.length : at, 0, one)
  }
  const starts = new Map(all.filter(({ id }) => path.has(id)).map((row) => [row.parentId, row]))
  const sizes = new Map<number, number>()
  return all
    .filter((row) => {
      const start = starts.get(row.parentId)
      return start === undefined || start === row || isBefore(start, row, sortOf(row))
    })
    .filter(({ parentId }) => {
      const list = tree ? parentId : 0
      sizes.set(list, (sizes.get(list) ?? 0) + 1)
      const isFirst = !tree || parentId === tree.parentId
      return sizes.get(list)! <= (isFirst ? limit + 1 : tree.replies)
    })
    .map((row) => applyShadowView(view, row))
}

type Candidate = {
  readonly rows: readonly RankedComment[]
  readonly one: RankedComment
  readonly page: MergedPage
  readonly isForced: boolean
}

/** Whether the page shows the list of siblings and that list reaches the comment's place. */
const belongsOnPage = (
  all: readonly RankedComment[],
  { rows, one, page, isForced }: Candidate,
): boolean => {
  const { after, limit, tree } = page
  const sort = !tree || one.parentId === tree.parentId ? orderAt(page.sort, after) : page.sort
  if (!tree || one.parentId === tree.parentId) {
    const list = rows.filter(({ parentId }) => !tree || parentId === tree.parentId)
    const [key, id] = after?.position ?? []
    const isPast = key === undefined || isBefore({ key, id: id! }, one, sort)
    if (after?.shown.includes(one.id)) return false
    return isForced || (isPast && (list.length <= limit || isBefore(one, list.at(-1)!, sort)))
  }
  const parent = all.find(({ id }) => id === one.parentId)
  const top = all.find(({ parentId }) => parentId === tree.parentId)
  if (!parent || parent.depth - top!.depth + 1 >= tree.depth) return false
  const list = rows.filter(({ parentId }) => parentId === one.parentId)
  const isWhole = list.length >= parent.replyCount
  return isForced || isWhole || (list.length > 0 && isBefore(one, list.at(-1)!, sort))
}

type RankedPosition = { readonly key: number; readonly id: number }

const isBefore = (one: RankedPosition, other: RankedPosition, sort: Sort): boolean => {
  const difference = one.key - other.key || one.id - other.id
  return sort === 'oldest' ? difference < 0 : difference > 0
}

/** The ids of a comment and its ancestors. With a focus, each list of the page starts with one of them. */
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
 * Replaces a focus that Postgres cannot page to. For a shadowed reply the page focuses on its nearest
 * ancestor that every reader sees; for a shadowed root the page starts after its position.
 */
export const focusShadowView = (
  { own }: ShadowView,
  id: number | undefined,
): { focusId?: number; after: Place | null } => {
  const mine = own.find((row) => row.id === id)
  if (!mine) return { after: null, ...(id !== undefined && { focusId: id }) }
  if (mine.parentId === 0) return { after: { position: [mine.key, mine.id], shown: [] } }
  return focusShadowView({ own } as ShadowView, mine.parentId)
}
