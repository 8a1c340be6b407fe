import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { shadowVersion } from '../../domain/comment/shadow-view.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { checkTimingOf } from '../../domain/site/check.ts'
import {
  findThreadAndParents,
  type InsertedPost,
  insertPosts,
  type NewPost,
} from '../../postgres/comments/insert.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { insertQuestions } from '../../postgres/jobs/checks.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { type GuestProfile, lockWriterRows } from '../../postgres/people/authors.ts'
import { ensureSharedThread } from '../../postgres/threads/threads.ts'
import { countFor } from '../policies/count-facts.ts'
import { startFloodHold } from '../policies/start-flood-hold.ts'
import type { Outcome, Outcomes } from '../run-once.ts'
import { type JudgedPost, judgePosts, type Situation, sourceOf } from './judge-posts.ts'
import { nameGuests } from './name-guests.ts'
import type { Post, Posted } from './post-comment.ts'
import { lockSlowMode } from './slow-mode.ts'

/** What is to be told once it is committed. */
export type StoreEffects = { readonly changed: Set<number>; attackedUntil?: Instant }

/**
 * Publishes posts to one thread, or holds them, each as if it came alone: one that is refused
 * leaves nothing behind and the others as they are. Rows are locked in the order of every writer:
 * comments, authors, threads, and the site if it is to be held; for what is inserted nobody else can
 * wait.
 * @param told is given the threads in which readers will see a difference, and the attack that begins
 */
export const storePosts = async (
  tx: Tx,
  posts: readonly Post[],
  told: StoreEffects,
): Promise<Outcomes<Post>> => {
  const outcomes = new Map<Post, Outcome>()
  if (posts.length === 0) return outcomes
  const situation = await learnSituation(tx, posts)
  const { judged, refused, attackedUntil } = judgePosts(posts, situation)
  for (const [post, refusal] of refused) outcomes.set(post, { refusal })
  if (judged.length === 0) return outcomes
  const published = judged.filter(({ judgement }) => isVisible(judgement.verdict))
  // A shadowed one is announced too, so that its answer takes as long.
  if (published.length > 0 || judged.some(({ isShadowed }) => isShadowed))
    told.changed.add(situation.thread.id)
  const { siteId, writers } = situation
  await nameGuests(tx, siteId, { writers, profiles: profilesOf(published) })
  const { rows, version } = await insert(tx, situation, { judged, published })
  await noteQuestions(
    tx,
    situation,
    judged.map((one, i) => ({ one, row: rows[i]! })),
  )
  if (attackedUntil !== undefined) {
    const attack = { site: posts[0]!.site, at: situation.known.at, until: attackedUntil }
    if (await startFloodHold(tx, attack)) told.attackedUntil = attackedUntil
  }
  for (const [i, one] of judged.entries()) {
    const answer = one.post.present(toPosted(situation, one, { row: rows[i]!, version }))
    outcomes.set(one.post, { answer })
  }
  return outcomes
}

/** The lock on the thread first: what is read after it holds until the transaction ends. */
const learnSituation = async (tx: Tx, posts: readonly Post[]): Promise<Situation> => {
  const { site, articleId } = posts[0]!
  const threadId = await ensureSharedThread(tx, site.id, articleId)
  const ids = posts.flatMap(({ parent }) => (parent ? [parent.id] : []))
  const { thread, parents } = await findThreadAndParents(tx, { siteId: site.id, threadId, ids })
  const writerIds = posts.flatMap(({ caller }) => ('authorId' in caller ? [caller.authorId] : []))
  const writers = writerIds.length > 0 ? await lockWriterRows(tx, site.id, writerIds) : new Map()
  const waits = await lockSlowMode(tx, site.id, { thread, senders: posts })
  const known = await countFor(tx, { siteId: site.id, threadId }, posts.map(sourceOf))
  const found = await findBansOn(
    tx,
    site.id,
    posts.map(({ suspect }) => suspect),
  )
  const bans = new Map(posts.map((post, i) => [post, found[i]!]))
  return { siteId: site.id, thread, parents, writers, waits, known, bans }
}

/** Of guests with a token, what each has said last of itself. */
const profilesOf = (published: readonly JudgedPost[]): Map<number, GuestProfile> =>
  new Map(
    published.flatMap(({ author, post }) =>
      author.id !== undefined && post.author ? [[author.id, post.author]] : [],
    ),
  )

/** Notes those whose checks are to be asked, so that another node does it if this one ends. */
const noteQuestions = async (
  tx: Tx,
  { siteId, thread }: Situation,
  posts: readonly { one: JudgedPost; row: InsertedPost }[],
): Promise<void> => {
  const asked = posts.filter(({ one }) => Object.keys(one.facts.checks).length > 0)
  const questions = asked.map(({ row }) => ({ commentId: row.id, mayPublish: true }))
  if (questions.length > 0) await insertQuestions(tx, { siteId, threadId: thread.id }, questions)
}

const insert = (
  tx: Tx,
  { siteId, thread }: Situation,
  { judged, published }: { judged: readonly JudgedPost[]; published: readonly JudgedPost[] },
) => {
  const articles = published.map(({ post }) => post.article)
  const at = {
    siteId,
    threadId: thread.id,
    renderer: RENDERER_VERSION,
    title: articles.find(({ title }) => title !== null)?.title ?? null,
    url: articles.find(({ url }) => url !== null)?.url ?? null,
  }
  return insertPosts(tx, at, judged.map(toNewPost))
}

const toNewPost = (judged: JudgedPost): NewPost => {
  const { post, parentId, parentHomeThreadId, depth, author, judgement, facts, isShadowed } = judged
  return {
    parentId,
    parentHomeThreadId,
    depth,
    author: author.id ?? post.author!,
    status: judgement.verdict,
    body: post.body,
    bodyHtml: post.bodyHtml,
    articleTitle: isVisible(judgement.verdict) ? null : post.article.title,
    articleUrl: isVisible(judgement.verdict) ? null : post.article.url,
    screening: JSON.stringify(judgement.trace),
    policyVersion: post.policy.version,
    facts: JSON.stringify(facts),
    risk: judgement.risk,
    shadowed: isShadowed,
    ...post.print,
    network: post.network,
    addressHash: post.addressHash,
  }
}

const toPosted = (
  { thread }: Situation,
  { post, parentId, parentHomeThreadId, depth, author, judgement, facts, isShadowed }: JudgedPost,
  { row, version }: { row: InsertedPost; version: number | undefined },
): Posted => {
  const { id, authorId, createdAt } = row
  const isPublished = isShadowed || isVisible(judgement.verdict)
  const comment = {
    ...NEW,
    threadId: thread.id,
    articleId: thread.articleId,
    id,
    parentId,
    parentHomeThreadId,
    depth,
    // Whether it is pending or spam is not for its author to know.
    status: isPublished ? ('approved' as const) : ('pending' as const),
    author: { ...author, id: authorId },
    body: post.body,
    bodyHtml: post.bodyHtml,
    createdAt,
    publishedAt: isPublished ? createdAt : null,
  }
  return {
    comment,
    version: isShadowed ? shadowVersion(createdAt, id) : isPublished ? version : undefined,
    newGuestId: author.id === undefined ? authorId : undefined,
    checking: checkTimingOf(judgement.trace, facts),
  }
}

const NEW = {
  homeThreadId: null,
  revision: 1,
  editedAt: null,
  replyCount: 0,
  score: 0,
  upvotes: 0,
  downvotes: 0,
  pinned: false,
  locked: false,
}
