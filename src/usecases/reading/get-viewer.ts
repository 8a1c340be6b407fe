import type { Caller } from '../../domain/caller.ts'
import type { Author, Comment } from '../../domain/comment.ts'
import { Refusal, type RefusalCode } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import { findAuthor } from '../../postgres/authors.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import { findOwn, findThreadToWrite } from '../../postgres/viewer.ts'
import type { World } from '../world.ts'
import { assertTakesComments } from '../writing/judge-posts.ts'
import { assertMayPost } from '../writing/post-comment.ts'

const MAX_PENDING = 100

/** Everything of a page that is about who looks at it. */
export type Viewer = {
  /** Undefined for nobody, and for keys. */
  readonly author: Author | undefined
  /** What posting would be refused with at this moment. */
  readonly reason: RefusalCode | undefined
  readonly threadId: number | undefined
  /** By id of a comment that readers can read. */
  readonly votes: ReadonlyMap<number, -1 | 1>
  /** What it wrote here and a moderator has yet to see, newest first. */
  readonly pending: readonly Comment[]
}

export const getViewer = async (
  world: World,
  { site, caller, articleId }: { site: Site; caller: Caller; articleId: string },
): Promise<Viewer> => {
  const found = await asking(findThreadToWrite(world.db, site.id, articleId))
  // Readers are not told that there is one.
  const thread = found?.state === 'hidden' ? undefined : found
  const reason = reasonOf(() => {
    assertMayPost({ site, caller })
    if (thread) assertTakesComments(thread)
  })
  const nothing = { reason, threadId: thread?.id, votes: new Map(), pending: [] }
  if (!('authorId' in caller)) return { ...nothing, author: undefined }
  const at = { siteId: site.id, authorId: caller.authorId }
  if (!thread) {
    return { ...nothing, author: await asking(findAuthor(world.db, at.siteId, at.authorId)) }
  }
  const own = await asking(findOwn(world.db, { ...at, threadId: thread.id, limit: MAX_PENDING }))
  // Whether it is pending or spam is not for its author to know.
  const pending = own.pending.map((comment) => ({ ...comment, status: 'pending' as const }))
  return { ...nothing, ...own, pending }
}

const reasonOf = (assert: () => void): RefusalCode | undefined => {
  try {
    assert()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}
