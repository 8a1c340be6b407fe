import { RENDERER_VERSION } from '../../domain/markdown.ts'
import { isVisible } from '../../domain/status.ts'
import { askForRefresh } from '../../postgres/author-tasks.ts'
import { type GuestProfile, holdWriters, updateGuests } from '../../postgres/authors.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import {
  findThreadAndParents,
  type InsertedPost,
  insertPosts,
  type NewPost,
} from '../../postgres/posts.ts'
import { ensureSharedThread } from '../../postgres/threads.ts'
import type { Outcome, Outcomes } from '../answer-once.ts'
import { type Facts, type Judged, judgePosts } from './judge-posts.ts'
import type { Post, Posted } from './post-comment.ts'

/**
 * Publishes posts to one thread, or holds them, each as if it came alone: one that is refused
 * leaves nothing behind and the others as they are. Rows are locked in the order of every writer:
 * comments, authors, threads; for what is inserted nobody else can wait.
 * @param changed is given the threads in which readers will see a difference
 */
export const publishPosts = async (
  tx: Tx,
  posts: readonly Post[],
  changed: Set<number>,
): Promise<Outcomes<Post>> => {
  const outcomes = new Map<Post, Outcome>()
  if (posts.length === 0) return outcomes
  const facts = await gatherFacts(tx, posts)
  const { judged, refused } = judgePosts(posts, facts)
  for (const [post, refusal] of refused) outcomes.set(post, { refusal })
  if (judged.length === 0) return outcomes
  const published = judged.filter(({ verdict }) => isVisible(verdict))
  if (published.length > 0) changed.add(facts.thread.id)
  await nameGuests(tx, facts, published)
  const { rows, version } = await insert(tx, facts, { judged, published })
  for (const [i, one] of judged.entries()) {
    const answer = one.post.present(toPosted(facts, one, { row: rows[i]!, version }))
    outcomes.set(one.post, { answer })
  }
  return outcomes
}

/** The lock on the thread first: what is read after it holds until the transaction ends. */
const gatherFacts = async (tx: Tx, posts: readonly Post[]): Promise<Facts> => {
  const { site, articleId } = posts[0]!
  const threadId = await ensureSharedThread(tx, site.id, articleId)
  const ids = posts.flatMap(({ parent }) => (parent?.threadId === threadId ? [parent.id] : []))
  const { thread, parents } = await findThreadAndParents(tx, { siteId: site.id, threadId, ids })
  const writerIds = posts.flatMap(({ caller }) => ('authorId' in caller ? [caller.authorId] : []))
  const writers = writerIds.length > 0 ? await holdWriters(tx, site.id, writerIds) : new Map()
  return { siteId: site.id, thread, parents, writers }
}

/** Guests with a token go by the name they gave last from now on, wherever they have written. */
const nameGuests = async (
  tx: Tx,
  { siteId, writers }: Facts,
  published: readonly Judged[],
): Promise<void> => {
  const profiles = new Map<number, GuestProfile>()
  for (const { author, post } of published) {
    if (author.id !== undefined && post.author) profiles.set(author.id, post.author)
  }
  if (profiles.size === 0) return
  await updateGuests(tx, siteId, profiles)
  const renamed = [...profiles].flatMap(([id, { name, url }]) => {
    const before = writers.get(id)!
    return before.name === name && before.url === url ? [] : [id]
  })
  if (renamed.length > 0) await askForRefresh(tx, siteId, renamed)
}

const insert = (
  tx: Tx,
  { siteId, thread }: Facts,
  { judged, published }: { judged: readonly Judged[]; published: readonly Judged[] },
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

const toNewPost = ({ post, parentId, depth, author, verdict, trace }: Judged): NewPost => ({
  parentId,
  depth,
  author: author.id ?? post.author!,
  status: verdict,
  body: post.body,
  bodyHtml: post.bodyHtml,
  articleTitle: isVisible(verdict) ? null : post.article.title,
  articleUrl: isVisible(verdict) ? null : post.article.url,
  screening: JSON.stringify(trace),
  network: post.network,
  addressHash: post.addressHash,
})

const toPosted = (
  { thread }: Facts,
  { post, parentId, depth, author, verdict }: Judged,
  { row, version }: { row: InsertedPost; version: number | undefined },
): Posted => {
  const { id, authorId, createdAt } = row
  const comment = {
    ...NEW,
    threadId: thread.id,
    articleId: thread.articleId,
    id,
    parentId,
    depth,
    status: verdict,
    author: { ...author, id: authorId },
    body: post.body,
    bodyHtml: post.bodyHtml,
    createdAt,
    publishedAt: isVisible(verdict) ? createdAt : null,
  }
  return {
    comment,
    version: isVisible(verdict) ? version : undefined,
    newGuestId: author.id === undefined ? authorId : undefined,
  }
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
