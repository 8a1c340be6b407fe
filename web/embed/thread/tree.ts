import type { Branch, Comment, FirstPage, Page, Thread } from '../wire.ts'

/** The comments of a thread as far as they are loaded: pure, every change makes a new value. */
export type Tree = {
  readonly comments: Readonly<Record<string, Comment>>
  /** The replies of each comment, and the roots under `ROOTS`. */
  readonly lists: Readonly<Record<string, List>>
}

export type List = {
  readonly ids: readonly string[]
  /** The cursor of what follows; null if all are loaded. */
  readonly next: string | null
  /** How many replies are not loaded. */
  readonly remaining: number
}

export const ROOTS = ''
const NO_LIST: List = { ids: [], next: null, remaining: 0 }
export const NO_TREE: Tree = { comments: {}, lists: {} }

export const listOf = (tree: Tree, key: string): List => tree.lists[key] ?? NO_LIST

const keyOf = ({ parent_id: parentId }: Comment): string => parentId ?? ROOTS

/** Adds a page to the end of a list, with everything below it. Comments that are there already are renewed. */
export const addPage = (tree: Tree, key: string, page: Page, remaining = 0): Tree => {
  const comments = { ...tree.comments }
  const lists = { ...tree.lists }
  const add = (at: string, { items, next_cursor: next }: Page, left: number): void => {
    const known = lists[at]?.ids ?? []
    const ids = [...new Set([...known, ...items.map(({ id }) => id)])]
    lists[at] = { ids, next, remaining: left }
    for (const { replies, ...comment } of items as Branch[]) {
      comments[comment.id] = keepSame(comments[comment.id], comment)
      if (replies) add(comment.id, replies, replies.remaining)
    }
  }
  add(key, page, remaining)
  return { comments, lists }
}

/** An unchanged comment stays the same value, so that it is not drawn again. */
const keepSame = (known: Comment | undefined, read: Comment): Comment => {
  if (!known) return read
  const merged = { ...known, ...read }
  return JSON.stringify(known) === JSON.stringify(merged) ? known : merged
}

/** Reads the start of the thread again without losing what was loaded after it. */
export const renew = (tree: Tree, page: FirstPage): Tree => {
  const fresh = addPage(NO_TREE, ROOTS, page)
  const lists: Record<string, List> = { ...tree.lists }
  for (const [key, list] of Object.entries(fresh.lists)) {
    const known = lists[key]
    const later = (known?.ids ?? []).filter((id) => !list.ids.includes(id))
    const isLonger = known !== undefined && later.length > 0
    lists[key] = {
      ids: [...list.ids, ...later],
      next: isLonger ? known.next : list.next,
      remaining: isLonger ? known.remaining : list.remaining,
    }
  }
  const comments = { ...tree.comments }
  for (const comment of Object.values(fresh.comments))
    comments[comment.id] = keepSame(comments[comment.id], comment)
  return { comments, lists }
}

/** Shows a comment of the reader at the start of its list, where its author finds it. */
export const putComment = (tree: Tree, comment: Comment): Tree => {
  const key = keyOf(comment)
  const list = listOf(tree, key)
  const isShown = list.ids.includes(comment.id)
  const comments = { ...tree.comments, [comment.id]: comment }
  if (isShown) return { ...tree, comments }
  // A reply whose parent is not loaded has no place yet.
  if (key !== ROOTS && !tree.comments[key]) return tree
  return { comments, lists: { ...tree.lists, [key]: { ...list, ids: [comment.id, ...list.ids] } } }
}

export const changeComment = (tree: Tree, id: string, change: Partial<Comment>): Tree => {
  const known = tree.comments[id]
  if (!known) return tree
  return { ...tree, comments: { ...tree.comments, [id]: { ...known, ...change } } }
}

const TOMBSTONE = { status: 'deleted', author: null, body: null, body_html: null } as const

/** Takes a comment out; with replies its place stays. */
export const removeComment = (tree: Tree, id: string): Tree => {
  const known = tree.comments[id]
  if (!known) return tree
  const { ids: replies, remaining } = listOf(tree, id)
  if (replies.length + remaining > 0) return changeComment(tree, id, TOMBSTONE)
  const key = keyOf(known)
  const list = listOf(tree, key)
  const { [id]: _, ...comments } = tree.comments
  const without = {
    comments,
    lists: { ...tree.lists, [key]: { ...list, ids: list.ids.filter((one) => one !== id) } },
  }
  // A tombstone stays only while it has replies.
  const parent = tree.comments[key]
  return parent?.status === 'deleted' ? removeComment(without, key) : without
}

/** The comment that gets the focus when another disappears: next, previous, or parent. */
export const neighbourOf = (tree: Tree, id: string): string | undefined => {
  const known = tree.comments[id]
  if (!known) return undefined
  const { ids } = listOf(tree, keyOf(known))
  const at = ids.indexOf(id)
  return ids[at + 1] ?? ids[at - 1] ?? known.parent_id ?? undefined
}

/** All replies below a comment, as far as they are known. */
export const countReplies = (tree: Tree, id: string): number => {
  const { ids, remaining } = listOf(tree, id)
  return ids.reduce((sum, reply) => sum + 1 + countReplies(tree, reply), remaining)
}

/** How many comments of a branch are loaded, itself included. */
export const sizeOf = (tree: Tree, id: string): number =>
  listOf(tree, id).ids.reduce((sum, reply) => sum + sizeOf(tree, reply), 1)

/** Root first; without the comment itself. */
export const ancestorsOf = (tree: Tree, id: string): string[] => {
  const parent = tree.comments[id]?.parent_id
  return parent ? [...ancestorsOf(tree, parent), parent] : []
}

/** The nearest ancestor, or the comment itself, that may have one more level below it. */
export const replyableFrom = (tree: Tree, id: string, maxDepth: number): string | undefined =>
  [...ancestorsOf(tree, id), id].findLast((one) => {
    const comment = tree.comments[one]
    return comment && comment.depth < maxDepth && comment.status !== 'deleted' && !comment.locked
  })

/** A comment of a locked branch takes no replies. */
export const isLocked = ({ comments }: Tree, id: string): boolean => {
  for (let one = comments[id]; one; one = comments[one.parent_id ?? ROOTS])
    if (one.locked) return true
  return false
}

/** All loaded comments as they are read from top to bottom. */
export const inOrder = (tree: Tree, key = ROOTS): string[] =>
  listOf(tree, key).ids.flatMap((id) => [id, ...inOrder(tree, id)])

export const isOpen = ({ state }: Thread): boolean => state === 'open'
