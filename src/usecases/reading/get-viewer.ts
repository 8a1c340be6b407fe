import type { Author, Comment } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import { buildStatement, type Statement } from '../../domain/moderation/statement.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal, type RefusalCode } from '../../domain/refusal.ts'
import { editableUntil, type Site } from '../../domain/site/site.ts'
import {
  findThreadToWrite,
  findViewerData,
  type OwnHeld,
  type OwnVote,
} from '../../postgres/comments/viewer.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import type { StatedComment } from '../../postgres/moderation/statements.ts'
import { findAuthor } from '../../postgres/people/authors.ts'
import type { Wait } from '../../postgres/threads/slow-mode.ts'
import type { ThreadForWrite } from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import type { Context } from '../context.ts'
import { assertTakesComments } from '../posting/judge-posts.ts'
import { assertMayPost } from '../posting/post-comment.ts'
import { findWaitsOf } from '../posting/slow-mode.ts'
import { refusalOf } from './who-may-post.ts'

const MAX_COMMENTS = 100

/** How long the viewer names a comment that was turned down. */
const DECIDED_MS = 30 * 86_400_000

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
  readonly pending: readonly OwnComment[]
  /** The published comments that the caller can edit now, with the end of the edit window. */
  readonly editable: readonly (CommentKey & { readonly until: Instant })[]
  /** The caller's comments that others turned down of late, newest first. */
  readonly decided: readonly Decided[]
}

/** `editableUntil`: the end of the edit window; null if the author cannot edit the comment any more. */
export type OwnComment = Comment & { readonly editableUntil: Instant | null }

export type Decided = { readonly comment: CommentKey; readonly statement: Statement }

type ViewerRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly articleId: string
  /** Null if the sender's address is not known. */
  readonly addressHash: Buffer | null
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
  const nothing = { reason, mayPostAt, votes: [], pending: [], editable: [], decided: [] }
  if (!('authorId' in caller)) return { ...nothing, author: undefined }
  const at = { siteId: site.id, authorId: caller.authorId }
  if (!thread) {
    return { ...nothing, author: await runQuery(findAuthor(context.db, at.siteId, at.authorId)) }
  }
  const { editWindowSeconds } = site
  const window = { threadId: thread.id, limit: MAX_COMMENTS, editWindowSeconds }
  const own = await runQuery(findViewerData(context.db, { ...at, ...window }))
  const turnedDown = listTurnedDown(own.stated)
  return {
    reason,
    mayPostAt,
    author: own.author,
    votes: own.votes,
    pending: own.pending.flatMap((held) =>
      turnedDown.has(held.id) ? [] : [toOwn(site, thread, held)],
    ),
    editable: takesEdits(site, thread)
      ? own.editable.map((comment) => ({ ...comment, until: editableUntil(site, comment) }))
      : [],
    decided: [...turnedDown.values()].flatMap(({ isRecent, ...one }) => (isRecent ? [one] : [])),
  }
}

/** The comments that others turned down, by id. The author's own deletions are not among them. */
const listTurnedDown = (stated: readonly StatedComment[]) =>
  new Map(
    stated.flatMap((found) => {
      const statement = buildStatement(found)
      const { standing, decidedBy, decidedAt } = statement
      if (standing !== 'removed' || decidedBy === 'author') return []
      const isRecent = Date.parse(found.readAt) - Date.parse(decidedAt!) < DECIDED_MS
      return [[found.comment.id, { comment: found.comment, statement, isRecent }] as const]
    }),
  )

const toOwn = (
  site: Site,
  thread: ThreadForWrite,
  { isEditable, ...comment }: OwnHeld,
): OwnComment => ({
  ...comment,
  // Authors are not told whether their comment is pending or spam.
  status: 'pending',
  editableUntil: isEditable && takesEdits(site, thread) ? editableUntil(site, comment) : null,
})

const takesEdits = ({ state }: Site, thread: ThreadForWrite): boolean =>
  state === 'open' && thread.state !== 'locked'

const findWait = async (
  { db }: Context,
  { thread, ...sender }: ViewerRequest & { thread: { id: number; slowModeSeconds: number } },
): Promise<Wait | undefined> => {
  const senders = [sender]
  return (await runQuery(findWaitsOf(db, sender.site.id, { thread, senders }))).get(sender)
}
