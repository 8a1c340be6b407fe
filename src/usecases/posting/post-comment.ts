import { RENDERER_VERSION, renderMarkdown } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import { checksJob } from '../../domain/job.ts'
import { assertMayWrite } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { checkTimingOf } from '../../domain/screening/check-facts.ts'
import { readRendering } from '../../domain/screening/rendering.ts'
import { assertIsOpen, isForMembers } from '../../domain/site/site.ts'
import { findThreadAndParents, insertPosts } from '../../postgres/comments/insert.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { enqueueJobs } from '../../postgres/jobs/jobs.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import { ensureSharedThread, findThreadId } from '../../postgres/threads/threads.ts'
import { checkAfterWrite } from '../checks/check-after-write.ts'
import type { Context } from '../context.ts'
import { commitGroup, type StoredGroup } from '../group-commit.ts'
import { nameGuests } from '../people/name-guests.ts'
import { comparedHashesOf, countFor, hashRendering } from '../policies/count-facts.ts'
import { startFloodHold } from '../policies/flood-hold.ts'
import { withoutEffect } from '../run-once.ts'
import { enqueueWrite, type Outcomes } from '../write-queue.ts'
import { findWriterId } from './find-writer.ts'
import { judgePosts, originOf, type Situation } from './judge-posts.ts'
import type { Post, PostEffect, Posted, PostRequest } from './post.ts'
import { answerRepeated, splitRepeated } from './repeated-posts.ts'
import { assertEmail, assertLength, skeletonOfGuest } from './site-rules.ts'
import { lockSlowMode } from './slow-mode.ts'
import { articleOf, profilesOf, toNewPost, toPosted } from './stored-post.ts'

export type { Posted, PostRequest } from './post.ts'

/**
 * Posts a comment: publishes or holds it, as the policy says. Posts that reach a thread while it has a
 * transaction in progress share the next transaction, each as if it came alone.
 */
export const postComment = async <Response>(
  context: Context,
  request: PostRequest,
  present: (posted: Posted) => Response,
): Promise<Response> => {
  const post = await preparePost(context, request, present)
  const { site, caller, articleId, author, sender, idempotencyKey } = post
  const queued = { thread: JSON.stringify([site.id, articleId]), write: post }
  const { response, effect } = await enqueueWrite(context.posts, queued, (posts) =>
    commitGroup(context, posts, storePosts),
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

/**
 * Stores posts to one thread, published or held. A refused post leaves nothing behind. Rows are locked
 * in the order that all writers keep: comments, authors, threads, and the site if a flood hold starts.
 */
const storePosts = async (
  tx: Tx,
  posts: readonly Post[],
  { site, articleId }: Post,
): Promise<StoredGroup<Post, PostEffect>> => {
  if (posts.length === 0) {
    const threadId = await findThreadId(tx, site.id, articleId)
    return { outcomes: new Map(), threadId, isVisible: false }
  }
  const situation = await loadSituation(tx, posts)
  const { thread, writers, counted } = situation
  const outcomes = await answerRepeated(tx, posts, situation)
  const { firsts, repeats } = splitRepeated(posts.filter((post) => !outcomes.has(post)))
  const { judged, refused, floodHoldUntil } = judgePosts(firsts, situation)
  for (const [post, refusal] of refused) outcomes.set(post, { refusal })
  if (judged.length === 0)
    return { outcomes: withRepeats(outcomes, repeats), threadId: thread.id, isVisible: false }

  const published = judged.filter(({ judgement }) => isVisible(judgement.verdict))
  await nameGuests(tx, site.id, { writers, profiles: profilesOf(published) })
  const { rows, version } = await insertPosts(
    tx,
    { siteId: site.id, threadId: thread.id, renderer: RENDERER_VERSION, ...articleOf(judged) },
    judged.map((one) => toNewPost(one, thread)),
  )
  // Another node asks the checks if this one stops.
  const toCheck = rows.filter((_row, i) => {
    const { judgement, facts } = judged[i]!
    return checkTimingOf(judgement.trace, facts) !== 'never'
  })
  await enqueueJobs(
    tx,
    toCheck.map(({ id }) => checksJob(site.id, { threadId: thread.id, id }, true)),
  )
  const startsFloodHold =
    floodHoldUntil !== undefined &&
    (await startFloodHold(tx, { site, at: counted.at, until: floodHoldUntil }))
  for (const [i, one] of judged.entries()) {
    const posted = toPosted(one, rows[i]!, { thread, version })
    const effect = {
      posted,
      floodHoldUntil: startsFloodHold && i === 0 ? floodHoldUntil : undefined,
    }
    outcomes.set(one.post, { response: one.post.present(posted), effect })
  }
  // A shadowed post invalidates the thread too, so that its response takes as long.
  const isVisibleToAny = judged.some((one) => one.isShownToAuthor)
  return {
    outcomes: withRepeats(outcomes, repeats),
    threadId: thread.id,
    isVisible: isVisibleToAny,
  }
}

/** Gives each post that repeats another one of its transaction the response of the other. */
const withRepeats = (
  outcomes: Outcomes<Post, PostEffect>,
  repeats: ReadonlyMap<Post, Post>,
): Outcomes<Post, PostEffect> => {
  const all = new Map(outcomes)
  for (const [post, first] of repeats) all.set(post, withoutEffect(outcomes.get(first)!))
  return all
}

/** Takes the lock on the thread first: what is read after it stays true until the transaction ends. */
const loadSituation = async (tx: Tx, posts: readonly Post[]): Promise<Situation> => {
  const { site, articleId } = posts[0]!
  const threadId = await ensureSharedThread(tx, site.id, articleId)
  const { thread, parents } = await findThreadAndParents(tx, {
    siteId: site.id,
    threadId,
    ids: posts.flatMap(({ parent }) => (parent ? [parent.id] : [])),
    textHashes: posts.flatMap(({ hashes }) => comparedHashesOf(hashes)),
  })
  const writerIds = posts.flatMap(({ writerId }) => writerId ?? [])
  const writers = writerIds.length > 0 ? await lockWriterRows(tx, site.id, writerIds) : new Map()
  const waits = await lockSlowMode(tx, site.id, { thread, senders: posts })
  const nameSkeletons = posts.flatMap((post) => skeletonOfGuest(post, writers) ?? [])
  const facts = { siteId: site.id, threadId, nameSkeletons }
  const counted = await countFor(tx, facts, posts.map(originOf))
  const identities = posts.map(({ writerIdentity }) => writerIdentity)
  const matches = await findBansOn(tx, site.id, identities)
  const bans = new Map(posts.map((post, i) => [post, matches[i]!]))
  return { siteId: site.id, thread, parents, writers, waits, counted, bans }
}
