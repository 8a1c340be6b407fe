import { assertMayWrite, type Caller } from '../../domain/caller.ts'
import type { Comment } from '../../domain/comment.ts'
import { renderMarkdown } from '../../domain/markdown.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import type { GuestProfile } from '../../postgres/authors.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import { findThreadId } from '../../postgres/threads.ts'
import type { World } from '../world.ts'
import { addToLine, type Waiting } from './lines.ts'
import { publishPosts } from './publish-posts.ts'
import { type Doing, writeTogether } from './write-together.ts'

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

/** A request on its way, with what is made of it outside the transaction. */
export type Post = PostRequest & {
  readonly bodyHtml: string
  /** Its answer, as it is remembered and given. */
  readonly present: (posted: Posted) => unknown
}

/**
 * Publishes a comment, or holds it, as the screening says. Posts to one thread that come at the
 * same time share a transaction; none sees anything of the others but their comments.
 */
export const postComment = async <Answer>(
  world: World,
  request: PostRequest,
  present: (posted: Posted) => Answer,
): Promise<Answer> => {
  assertMayPost(request)
  // A member is called what its site calls it.
  const author = request.caller.kind === 'member' ? undefined : request.author
  const post = { ...request, author, bodyHtml: renderMarkdown(request.body), present }
  const thread = JSON.stringify([post.site.id, post.articleId])
  const write = { thread, write: post }
  const together = (posts: readonly Waiting<Post>[]) => writeTogether(world, posts, POSTING)
  const answer = await addToLine(world.posts, write, together)
  // It may go by another name from now on.
  if (author && request.caller.kind === 'guest') world.kick('tasks')
  return answer as Answer
}

const POSTING: Doing<Post> = {
  act: publishPosts,
  findThread: (tx, { site, articleId }) => findThreadId(tx, site.id, articleId),
}

/** Refuses whoever may post nowhere on the site. */
export const assertMayPost = ({ site, caller }: Pick<PostRequest, 'site' | 'caller'>): void => {
  assertMayWrite(caller)
  if (site.posting === 'nobody') throw new Refusal('posting_disabled')
  if (site.posting === 'members' && (caller.kind === 'nobody' || caller.kind === 'guest'))
    throw new Refusal('login_required')
}
