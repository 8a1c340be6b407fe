import type { Author, Comment } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import type { Caller } from '../../domain/people/caller.ts'
import { Refusal, type RefusalCode } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { findThreadToWrite, findViewerData, type OwnVote } from '../../postgres/comments/viewer.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { findAuthor } from '../../postgres/people/authors.ts'
import type { Wait } from '../../postgres/threads/slow-mode.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import type { Context } from '../context.ts'
import { assertTakesComments } from '../posting/judge-posts.ts'
import { assertMayPost } from '../posting/post-comment.ts'
import { findWaitsOf } from '../posting/slow-mode.ts'
import { refusalOf } from './who-may-post.ts'

const MAX_PENDING = 100

/** The caller's own data in a thread. */
export type Viewer = {
  /** Undefined for API keys and callers without a credential. */
  readonly author: Author | undefined
  /** The error that a post would get now; undefined if the caller may post. */
  readonly reason: RefusalCode | undefined
  /** When slow mode lets the caller post again. */
  readonly mayPostAt: Instant | undefined
  /** The caller's votes on visible comments. */
  readonly votes: readonly OwnVote[]
  /** The caller's held comments, newest first. */
  readonly pending: readonly Comment[]
}

type ViewerRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly articleId: string
  readonly addressHash: Buffer
  readonly writerIdentity: WriterIdentity | undefined
}

/** Returns the caller's own data in a thread: all that cached pages do not show. */
export const getViewer = async (context: Context, request: ViewerRequest): Promise<Viewer> => {
  const { site, caller, articleId } = request
  const found = await runQuery(findThreadToWrite(context.db, site.id, articleId))
  // A hidden thread looks absent.
  const thread = found?.state === 'hidden' ? undefined : found
  const [bans = []] = await runQuery(findBansOn(context.db, site.id, [request.writerIdentity]))
  const wait = thread && (await findWait(context, { ...request, thread }))
  const reason = refusalOf(() => {
    assertMayPost({ site, caller })
    assertNotBlocked(bans)
    if (thread) assertTakesComments(thread)
    if (wait) throw new Refusal('slow_mode')
  })
  const mayPostAt = reason === 'slow_mode' ? wait!.until : undefined
  const nothing = { reason, mayPostAt, votes: [], pending: [] }
  if (!('authorId' in caller)) return { ...nothing, author: undefined }
  const at = { siteId: site.id, authorId: caller.authorId }
  if (!thread) {
    return { ...nothing, author: await runQuery(findAuthor(context.db, at.siteId, at.authorId)) }
  }
  const own = await runQuery(
    findViewerData(context.db, { ...at, threadId: thread.id, limit: MAX_PENDING }),
  )
  // Authors are not told whether their comment is pending or spam.
  const pending = own.pending.map((comment) => ({ ...comment, status: 'pending' as const }))
  return { ...nothing, ...own, pending }
}

const findWait = async (
  { db }: Context,
  { thread, ...sender }: ViewerRequest & { thread: { id: number; slowModeSeconds: number } },
): Promise<Wait | undefined> => {
  const senders = [sender]
  return (await runQuery(findWaitsOf(db, sender.site.id, { thread, senders }))).get(sender)
}
