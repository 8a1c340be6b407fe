import type { PolicyInForce } from '../../cache/policies.ts'
import type { Comment } from '../../domain/comment/comment.ts'
import { renderMarkdown } from '../../domain/comment/markdown.ts'
import type { Instant } from '../../domain/instant.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import { assertMayWrite, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { CheckTiming, Sender } from '../../domain/site/check.ts'
import type { Site } from '../../domain/site/site.ts'
import type { GuestProfile } from '../../postgres/people/authors.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { findThreadId } from '../../postgres/threads/threads.ts'
import { checkAfterWrite, type WrittenComment } from '../checks/check-after-write.ts'
import type { Context } from '../context.ts'
import { hashText, type TextHashes } from '../policies/count-facts.ts'
import { commitGroup, type WriteHandler } from './group-commit.ts'
import { type StoreEffects, storePosts } from './store-posts.ts'
import { enqueueWrite, type QueuedWrite } from './write-queue.ts'

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
  readonly suspect: WriterIdentity | undefined
  readonly sender: Sender
  readonly claim: IdempotencyKey | undefined
}

export type Posted = {
  readonly comment: Comment
  /** The thread's new version; undefined when no reader can see the comment. */
  readonly version: number | undefined
  /** The guest who was made for this comment and needs a token. */
  readonly newGuestId: number | undefined
  readonly checking: CheckTiming
}

/** A request on its way, with what is made of it outside the transaction. */
export type Post = PostRequest & {
  readonly bodyHtml: string
  readonly policy: PolicyInForce
  readonly print: TextHashes
  /** Its answer, as it is remembered and given. */
  readonly present: (posted: Posted) => unknown
}

/**
 * Publishes a comment, or holds it, as the screening says. Posts to one thread that come at the
 * same time share a transaction; none sees anything of the others but their comments.
 */
export const postComment = async <Answer>(
  context: Context,
  request: PostRequest,
  present: (posted: Posted) => Answer,
): Promise<Answer> => {
  assertMayPost(request)
  // A member is called what its site calls it.
  const author = request.caller.kind === 'member' ? undefined : request.author
  const policy = await context.policies.find(request.site)
  const { body } = request
  const made = { bodyHtml: renderMarkdown(body), print: hashText(body) }
  let posted: Posted | undefined
  const note = (what: Posted): Answer => {
    posted = what
    return present(what)
  }
  const post = { ...request, author, policy, ...made, present: note }
  const thread = JSON.stringify([post.site.id, post.articleId])
  const write = { thread, write: post }
  const together = (posts: readonly QueuedWrite<Post>[]) => publishTogether(context, posts)
  const answer = (await enqueueWrite(context.posts, write, together)) as Answer
  // It may go by another name from now on.
  if (author && request.caller.kind === 'guest') context.kick('tasks')
  // Without it, the answer repeats one that was given.
  return posted ? checkPosted(context, { post, posted, present, answer }) : answer
}

type Checked<Answer> = {
  readonly post: Post
  readonly posted: Posted
  readonly present: (posted: Posted) => Answer
  readonly answer: Answer
}

const checkPosted = <Answer>(
  context: Context,
  { post, posted, present, answer }: Checked<Answer>,
): Promise<Answer> => {
  const { site, sender, claim, caller } = post
  const author = caller.kind === 'guest' ? post.author : undefined
  const written: WrittenComment<Answer> = {
    checking: posted.checking,
    request: { site, comment: posted.comment, sender, author },
    claim,
    answer,
    present: ({ comment, version }) =>
      present({ ...posted, version, comment: { ...posted.comment, ...shownOf(comment) } }),
  }
  return checkAfterWrite(context, written)
}

/** What is other about a comment once readers see it. */
const shownOf = ({ author, status, publishedAt }: Comment) => ({ author, status, publishedAt })

const publishTogether = async (
  context: Context,
  posts: readonly QueuedWrite<Post>[],
): Promise<Refusal | undefined> => {
  let attackedUntil: Instant | undefined
  const doing: WriteHandler<Post> = {
    act: async (tx, fresh, changed) => {
      const told: StoreEffects = { changed }
      const outcomes = await storePosts(tx, fresh, told)
      attackedUntil = told.attackedUntil
      return outcomes
    },
    findThread: (tx, { site, articleId }) => findThreadId(tx, site.id, articleId),
  }
  const fault = await commitGroup(context, posts, doing)
  const { slug: site } = posts[0]!.site
  if (attackedUntil) context.warn({ site, attackedUntil }, `${site}: too much arrives; all is held`)
  return fault
}

/** Refuses whoever may post nowhere on the site. */
export const assertMayPost = ({ site, caller }: Pick<PostRequest, 'site' | 'caller'>): void => {
  assertMayWrite(caller)
  if (site.posting === 'nobody') throw new Refusal('posting_disabled')
  if (site.posting === 'members' && (caller.kind === 'nobody' || caller.kind === 'guest'))
    throw new Refusal('login_required')
}
