import { countReplies } from '../../domain/comment/branch.ts'
import { isVisible, type Status } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import {
  listAncestorPaths,
  type PathNode,
  type ReplyCount,
  type StatusTransition,
  updateStatuses,
  writeReplyCounts,
} from '../../postgres/comments/branches.ts'
import type { CommentForWrite } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { sendTogether } from '../../postgres/connection/pipeline.ts'
import { adjustThreadCounts, type ThreadGain } from '../../postgres/threads/counts.ts'

export type ThreadKey = { readonly siteId: number; readonly threadId: number }

export type StatusChanges = {
  /** The new versions, by thread. A thread in which readers see no difference has none. */
  readonly versions: ReadonlyMap<number, number>
  /** When each comment was first published. */
  readonly published: ReadonlyMap<number, Instant | null>
}

/**
 * Changes the statuses of comments of one site, then the tombstones above them, the counts of their threads
 * and the versions. The caller holds the exclusive thread locks and has read the comments under them. The
 * cost depends on the number and depth of the comments, not on the size of the threads.
 * @param paths the comments and all their ancestors, if the caller has read them
 */
export const changeStatuses = async (
  tx: Tx,
  siteId: number,
  transitions: readonly StatusTransition[],
  paths?: readonly PathNode[],
): Promise<StatusChanges> => {
  const seen = transitions.filter(({ from, to }) => isVisible(from) || isVisible(to))
  const [path = paths ?? []] =
    seen.length > 0 && !paths ? await sendTogether(tx, [listAncestorPaths(siteId, seen)]) : []
  const newIds = seen.filter(({ to }) => isVisible(to)).map(({ id }) => id)
  const [published, , , , threads] = await sendTogether(tx, [
    updateStatuses(siteId, transitions),
    ...writeReplyCounts(siteId, recount(path, seen)),
    ...adjustThreadCounts(siteId, gainsOf(path, seen), newIds),
  ])
  return {
    versions: new Map(threads.map(({ id, version }) => [id, version])),
    published: new Map(published.map(({ id, publishedAt }) => [id, publishedAt])),
  }
}

/** `changeStatuses` for one comment. @returns the thread's new version; undefined if readers see no difference */
export const changeStatus = async (
  tx: Tx,
  { threadId, id, status: from }: Pick<CommentForWrite, 'threadId' | 'id' | 'status'>,
  { siteId, ...change }: { siteId: number; to: Status; shadowed?: boolean },
): Promise<{ version: number | undefined }> => {
  const { versions } = await changeStatuses(tx, siteId, [{ threadId, id, from, ...change }])
  return { version: versions.get(threadId) }
}

const recount = (
  path: readonly PathNode[],
  transitions: readonly StatusTransition[],
): ReplyCount[] => {
  const threadOf = new Map(path.map(({ id, threadId }) => [id, threadId]))
  const counts = countReplies(path, new Map(transitions.map(({ id, to }) => [id, to])))
  return [...counts].map(([id, count]) => ({ threadId: threadOf.get(id)!, id, count }))
}

const gainsOf = (
  path: readonly PathNode[],
  transitions: readonly StatusTransition[],
): ThreadGain[] => {
  const roots = new Set(path.filter(({ parentId }) => parentId === 0).map(({ id }) => id))
  return [...Map.groupBy(transitions, ({ threadId }) => threadId)].map(([threadId, ofThread]) => ({
    threadId,
    comments: visibleGain(ofThread),
    roots: visibleGain(ofThread.filter(({ id }) => roots.has(id))),
  }))
}

/** How many more comments readers see after the transitions; negative if fewer. */
const visibleGain = (transitions: readonly StatusTransition[]): number =>
  transitions.reduce(
    (sum, { from, to }) => sum + Number(isVisible(to)) - Number(isVisible(from)),
    0,
  )
