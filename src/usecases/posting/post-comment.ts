import { renderMarkdown } from '../../domain/comment/markdown.ts'
import { assertMayWrite } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { readRendering } from '../../domain/screening/rendering.ts'
import { assertIsOpen, isForMembers } from '../../domain/site/site.ts'
import { checkAfterWrite } from '../checks/check-after-write.ts'
import type { Context } from '../context.ts'
import { commitGroup, leavingLockTimeouts } from '../group-commit.ts'
import { hashRendering } from '../policies/count-facts.ts'
import { enqueueSharedWrite } from '../write-queue.ts'
import { findWriterId } from './find-writer.ts'
import type { Post, Posted, PostRequest } from './post.ts'
import { assertEmail, assertLength } from './site-rules.ts'
import { decidePatiently, decideTogether } from './store-posts.ts'

export type { Posted, PostRequest } from './post.ts'

/**
 * Posts a comment: publishes or holds it, as the policy says. Posts that reach a site while it has a
 * transaction in progress share the next transaction, as if they came one after the other.
 */
export const postComment = async <Response>(
  context: Context,
  request: PostRequest,
  present: (posted: Posted) => Response,
): Promise<Response> => {
  const post = await preparePost(context, request, present)
  const { site, caller, articleId, author, sender, idempotencyKey } = post
  const { response, effect } = await enqueueSharedWrite(
    context.posts,
    { site: String(site.id), thread: JSON.stringify([site.id, articleId]), write: post },
    {
      together: (posts) => leavingLockTimeouts(commitGroup(context, posts, decideTogether)),
      patiently: (posts) => commitGroup(context, posts, decidePatiently),
    },
  )
  const profile = caller.kind === 'guest' ? author : undefined
  // The guest's earlier comments may have to show another name.
  if (profile) context.kick('refresh_author')
  if (!effect) return response as Response
  const { posted, floodHoldUntil } = effect
  if (floodHoldUntil)
    context.warn(
      { site: site.slug, attackedUntil: floodHoldUntil },
      'flood: holding all new comments',
    )
  return checkAfterWrite(context, {
    checking: posted.checking,
    request: { site, comment: posted.comment, sender, author: profile },
    idempotencyKey,
    answer: response as Response,
    present: ({ comment: { author, status, publishedAt }, version }) =>
      present({ ...posted, version, comment: { ...posted.comment, author, status, publishedAt } }),
  })
}

/** Does everything that needs no transaction. */
const preparePost = async (
  context: Context,
  request: PostRequest,
  present: Post['present'],
): Promise<Post> => {
  assertMayPost(request)
  const { site, caller, author, body } = request
  assertLength(site, caller, body)
  if (caller.kind === 'nobody' || caller.kind === 'guest') {
    const stored = caller.kind === 'guest' ? caller.email : null
    assertEmail(site, author ? author.email : stored, '/author/email')
  }
  const bodyHtml = renderMarkdown(body)
  const rendering = readRendering(body, bodyHtml)
  return {
    ...request,
    // A member's name comes from the site.
    author: request.caller.kind === 'member' ? undefined : request.author,
    writerId: await findWriterId(context, request),
    policy: await context.policies.find(request.site),
    bodyHtml,
    rendering,
    hashes: hashRendering(rendering),
    present,
  }
}

/** Returns the HTML that a comment with this text would have. */
export const previewComment = (body: string): string => renderMarkdown(body)

/** Refuses a caller who may not post anywhere on the site. */
export const assertMayPost = ({ site, caller }: Pick<PostRequest, 'site' | 'caller'>): void => {
  assertMayWrite(caller)
  assertIsOpen(site)
  if (site.posting === 'nobody') throw new Refusal('posting_disabled')
  if (isForMembers(site) && (caller.kind === 'nobody' || caller.kind === 'guest'))
    throw new Refusal('login_required')
}
