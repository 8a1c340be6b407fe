import { isVisible } from '../../domain/comment/status.ts'
import { type Placed, placeComments } from '../../domain/importing/place-comments.ts'
import { findPlaces, type Imported } from '../../postgres/importing/find-imported.ts'
import {
  type GrownThread,
  growPlaces,
  growThreads,
  insertImportedComments,
  type NewComment,
  takeCommentIds,
} from '../../postgres/importing/insert-imported.ts'
import type { PreparedComment } from '../../workers/importing/prepare-comments.ts'
import type { AuthorIds } from './import-authors.ts'
import type { Target } from './import-threads.ts'
import type { Store } from './store.ts'

/** A comment that no earlier import has stored. */
export type Fresh = {
  readonly comment: PreparedComment
  /** In the batch. */
  readonly place: number
  readonly thread: Target
}

type Around = {
  readonly imported: ReadonlyMap<string, Imported>
  readonly authors: AuthorIds
}

/** Stores comments below their parents, and counts them. A dry run only counts them. */
export const insertFresh = async (
  store: Store,
  fresh: readonly Fresh[],
  { imported, authors }: Around,
): Promise<void> => {
  const { run, known, batch, tx, effects } = store
  const siteId = run.site.id
  const ids = tx ? await takeCommentIds(tx, fresh.length) : known.planned.takeIds(fresh.length)
  const wanted = fresh.map((one, at) => ({ ...one, id: ids[at]! }))
  const parents = await findParents(store, wanted, imported)
  const comments: NewComment[] = []
  const grown: Parameters<typeof growPlaces>[2][number][] = []
  const threads: GrownThread[] = []
  for (const [thread, those] of Map.groupBy(wanted, (one) => one.thread)) {
    const unplaced = those.map(({ id, comment: { createdAt, status } }) => {
      const parentId = parents.idOf.get(id) ?? null
      return { id, parentId, createdAt, isVisible: isVisible(status) }
    })
    const result = placeComments(unplaced, parents.placesIn(thread), run.site.maxDepth)
    result.placed.forEach((placed, at) => {
      if (placed.isCut) effects.count('cut')
      comments.push(newComment(store, those[at]!, { placed, authors }))
    })
    grown.push(...result.grown.map((one) => ({ ...one, threadId: thread.id })))
    threads.push(grownThread(thread, those, result.placed))
  }
  effects.count('created', fresh.length)
  if (!tx) return plan(store, wanted, comments)
  const at = { siteId, originId: known.originId, importId: run.wanted.id }
  await insertImportedComments(tx, at, comments, batch)
  if (grown.length > 0) await growPlaces(tx, siteId, grown)
  await growThreads(tx, siteId, threads)
  for (const { id, comments } of threads) if (comments > 0) effects.touchedThreads.add(id)
}

type Wanted = Fresh & { readonly id: number }

/** The parents of comments: those of the batch, and those that are stored or planned already. */
const findParents = async (
  { run, known, db, effects }: Store,
  wanted: readonly Wanted[],
  imported: ReadonlyMap<string, Imported>,
) => {
  const newIds = new Map(wanted.map(({ comment, id }) => [comment.id, id]))
  const outer = wanted.flatMap(({ comment: { parentId }, thread }) => {
    const parent = parentId === null || newIds.has(parentId) ? undefined : imported.get(parentId)
    return parent ? [{ threadId: thread.id, id: parent.commentId }] : []
  })
  const stored = outer.length > 0 ? await findPlaces(db, run.site.id, outer) : []
  const storedIds = new Set(stored.map(({ threadId, id }) => `${threadId} ${id}`))
  const idOf = new Map<number, number>()
  const planned = new Map<number, number[]>()
  for (const { comment, thread, id } of wanted) {
    const { parentId, orphan } = comment
    if (orphan === 'cycle') effects.orphan(comment.id, 'cycle')
    if (parentId === null || orphan === 'cycle') continue
    const old = imported.get(parentId)?.commentId
    const plannedId = known.planned.idOf(thread.number, parentId)
    const found =
      newIds.get(parentId) ??
      (old !== undefined && storedIds.has(`${thread.id} ${old}`) ? old : plannedId)
    if (found === undefined) effects.orphan(comment.id, 'missing')
    else idOf.set(id, found)
    if (found === plannedId && plannedId !== undefined)
      planned.set(thread.number, [...(planned.get(thread.number) ?? []), plannedId])
  }
  const placesIn = (thread: Target) => [
    ...stored.filter(({ threadId }) => threadId === thread.id),
    ...known.planned.linesOf(planned.get(thread.number) ?? []),
  ]
  return { idOf, placesIn }
}

const DAY_MS = 86_400_000

const newComment = (
  { context, run }: Store,
  { comment, place, thread }: Wanted,
  { placed, authors }: { placed: Placed; authors: AuthorIds },
): NewComment => {
  const { address, createdAt } = comment
  const keptSince = Date.now() - run.site.retentionDays * DAY_MS
  const kept = address !== null && Date.parse(createdAt) > keptSince ? address : null
  return {
    ...placed,
    threadId: thread.id,
    place: place + 1,
    authorId: authors.get(comment.authorNumber) as number,
    status: comment.status,
    createdAt,
    editedAt: comment.editedAt,
    pinned: comment.isPinned,
    upvotes: comment.upvotes,
    downvotes: comment.downvotes,
    sourceId: comment.id,
    textHash: comment.textHash,
    address: kept,
    addressHash: kept === null ? null : context.banHashes.addresses(kept)[0]!,
  }
}

const grownThread = (
  { id, title, url }: Target,
  comments: readonly Wanted[],
  placed: readonly Placed[],
): GrownThread => {
  const visible = comments.flatMap(({ comment }, at) =>
    isVisible(comment.status) ? { at: comment.createdAt, isRoot: placed[at]!.parentId === 0 } : [],
  )
  const last = visible.reduce((one, { at }) => (one > at ? one : at), '')
  const roots = visible.filter(({ isRoot }) => isRoot).length
  return {
    id,
    title,
    url,
    comments: visible.length,
    roots,
    lastCommentAt: last === '' ? null : last,
  }
}

const plan = (
  { known }: Store,
  wanted: readonly Wanted[],
  comments: readonly NewComment[],
): void => {
  const byId = new Map(comments.map((comment) => [comment.id, comment]))
  for (const { id, comment, thread } of wanted) {
    const { createdAt, status } = comment
    const planned = { sourceId: comment.id, placed: byId.get(id)!, createdAt }
    known.planned.add(thread.number, { ...planned, isVisible: isVisible(status) })
  }
}
