import { assertMayWrite, type Caller } from '../../domain/caller.ts'
import type { Comment } from '../../domain/comment.ts'
import { renderMarkdown } from '../../domain/markdown.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import type { GuestProfile } from '../../postgres/authors.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import type { World } from '../world.ts'
import { addPost } from './waiting-posts.ts'

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
  const post = { ...request, bodyHtml: renderMarkdown(request.body), present }
  return (await addPost(world, post)) as Answer
}

const assertMayPost = ({ site, caller }: PostRequest): void => {
  assertMayWrite(caller)
  if (site.posting === 'nobody') throw new Refusal('posting_disabled')
  if (site.posting === 'members' && caller.kind !== 'key') throw new Refusal('login_required')
}
