import { assertMayWrite, type Caller } from '../../domain/caller.ts'
import type { Author, Comment } from '../../domain/comment.ts'
import { RENDERER_VERSION, renderMarkdown } from '../../domain/markdown.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { screen } from '../../domain/screening.ts'
import type { Site } from '../../domain/site.ts'
import {
  findAuthor,
  type GuestProfile,
  holdAuthors,
  insertGuest,
  updateGuest,
} from '../../postgres/authors.ts'
import { countReply, findParent, insertComment } from '../../postgres/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { lockThread } from '../../postgres/connection/transaction.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import {
  addToThread,
  ensureThread,
  findThreadForWrite,
  type ThreadForWrite,
} from '../../postgres/threads.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'

export type PostRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly articleId: string
  readonly article: { readonly title: string | null; readonly url: string | null }
  readonly body: string
  /** Undefined: a root. Null: a reply to something that cannot exist. */
  readonly parent: CommentKey | null | undefined
  readonly author: GuestProfile | undefined
  readonly network: string
  readonly addressHash: Buffer
  readonly claim: Claim | undefined
}

export type Posted = {
  readonly comment: Comment
  /** The thread's new version; undefined when no reader can see the comment. */
  readonly version: number | undefined
  /** The guest who was made for this comment and needs a token. */
  readonly newGuestId: number | undefined
}

/** Publishes a comment, or holds it, as the screening says. */
export const postComment = <Answer>(
  world: World,
  request: PostRequest,
  present: (posted: Posted) => Answer,
): Promise<Answer> => {
  assertMayPost(request)
  const bodyHtml = renderMarkdown(request.body)
  return answerOnce(world, request.claim, async (tx) => {
    const { author, newGuestId } = await resolveAuthor(tx, request)
    const threadId = await ensureThread(tx, request.site.id, request.articleId)
    await lockThread(tx, { siteId: request.site.id, threadId }, 'shared')
    const thread = (await findThreadForWrite(tx, request.site.id, threadId))!
    const comment = await insert(tx, request, { thread, author, bodyHtml })
    const isHeld = comment.status === 'pending'
    const version = isHeld ? undefined : await publish(tx, request, comment)
    return present({ comment, version, newGuestId })
  })
}

const assertMayPost = ({ site, caller }: PostRequest): void => {
  assertMayWrite(caller)
  if (site.posting === 'nobody') throw new Refusal('posting_disabled')
  if (site.posting === 'members' && caller.kind !== 'key') throw new Refusal('login_required')
}

/** A token speaks for its guest; without one, the name given makes a new guest. */
const resolveAuthor = async (
  tx: Tx,
  { site, caller, author: profile }: PostRequest,
): Promise<{ author: Author; newGuestId?: number }> => {
  if (caller.kind === 'guest') {
    const author = await findAuthor(tx, site.id, caller.authorId)
    if (!author) throw new Refusal('invalid_token')
    return { author }
  }
  if (!profile) {
    throw new Refusal('invalid_request', { '/author': 'is required of a guest without a token' })
  }
  const author = await insertGuest(tx, site.id, profile)
  return { author, newGuestId: author.id }
}

const insert = async (
  tx: Tx,
  request: PostRequest,
  { thread, author, bodyHtml }: { thread: ThreadForWrite; author: Author; bodyHtml: string },
): Promise<Comment> => {
  const { site, body, network, addressHash, article } = request
  assertTakesComments(thread)
  const place = await resolvePlace(tx, request, thread)
  const profile = profileOf(request, author)
  const facts = { siteModeration: site.moderation, threadModeration: thread.moderation }
  const { verdict, trace } = screen({ body, authorName: profile.name }, facts)
  const isHeld = verdict === 'pending'
  const content = { body, bodyHtml, renderer: RENDERER_VERSION, status: verdict }
  const row = await insertComment(tx, {
    siteId: site.id,
    authorId: author.id,
    ...place,
    ...content,
    network,
    addressHash,
    articleTitle: isHeld ? article.title : null,
    articleUrl: isHeld ? article.url : null,
    screening: JSON.stringify(trace),
  })
  const shownAuthor = isHeld ? author : { ...author, ...profile }
  return { ...NEW, ...place, ...content, ...row, articleId: thread.articleId, author: shownAuthor }
}

const profileOf = ({ author: profile }: PostRequest, author: Author) => ({
  name: profile?.name ?? author.name,
  url: profile ? profile.url : author.url,
})

/**
 * What follows from a comment that readers see: its parent's count, the name that its author goes
 * by from now on, and the thread's counts. A held comment changes none of these.
 */
const publish = async (tx: Tx, request: PostRequest, comment: Comment): Promise<number> => {
  const { site, caller, author: profile, article } = request
  await countReply(tx, site.id, comment, 1)
  const { threadId } = comment
  if (caller.kind === 'guest' && profile) await updateGuest(tx, site.id, caller.authorId, profile)
  if (caller.kind === 'guest')
    await holdAuthors(tx, { siteId: site.id, threadId, ids: [comment.id] })
  return addToThread(tx, site.id, threadId, {
    comments: 1,
    roots: comment.parentId === 0 ? 1 : 0,
    newest: comment.createdAt,
    ...article,
  })
}

const NEW = {
  revision: 1,
  editedAt: null,
  replyCount: 0,
  score: 0,
  upvotes: 0,
  downvotes: 0,
  pinned: false,
  locked: false,
}

const assertTakesComments = ({ state }: ThreadForWrite): void => {
  if (state === 'locked') throw new Refusal('thread_locked')
  if (state !== 'open') throw new Refusal('thread_closed')
}

const resolvePlace = async (
  tx: Tx,
  { site, parent }: PostRequest,
  thread: ThreadForWrite,
): Promise<{ threadId: number; parentId: number; depth: number }> => {
  const threadId = thread.id
  if (parent === undefined) return { threadId, parentId: 0, depth: 0 }
  if (parent?.threadId !== threadId) throw new Refusal('parent_not_found')
  const found = await findParent(tx, { siteId: site.id, ...parent })
  if (!found) throw new Refusal('parent_not_found')
  if (found.locked) throw new Refusal('thread_locked')
  if (found.depth >= site.maxDepth) throw new Refusal('depth_exceeded')
  return { threadId, parentId: found.id, depth: found.depth + 1 }
}
