import { shadowVersion } from '../../domain/comment/shadow-view.ts'
import { isVisible } from '../../domain/comment/status.ts'
import { checkTimingOf } from '../../domain/screening/check-facts.ts'
import type { InsertedPost, NewPost, PostedThread } from '../../postgres/comments/insert.ts'
import type { GuestProfile } from '../../postgres/people/authors.ts'
import { toJudgementColumns } from '../../postgres/screening/stored-judgements.ts'
import type { JudgedPost } from './judge-posts.ts'
import { isSuggestion, type Posted } from './post.ts'

/** The last profile of each guest with a token, by the guest's id. */
export const profilesOf = (published: readonly JudgedPost[]): Map<number, GuestProfile> =>
  new Map(
    published.flatMap(({ author, post }) =>
      author.id !== undefined && post.author ? [[author.id, post.author]] : [],
    ),
  )

/**
 * The threads with published posts: for each, how many it gets, the first title and URL that posts of staff give the
 * article, and the first published post that suggests them.
 */
export const postedThreadsOf = (judged: readonly JudgedPost[]): PostedThread[] => {
  const published = judged.filter(({ judgement }) => isVisible(judgement.verdict))
  const byThread = Map.groupBy(published, ({ thread }) => thread.id)
  return [...byThread].map(([id, posts]) => ({
    id,
    approved: posts.length,
    approvedRoots: posts.filter(({ parentId }) => parentId === 0).length,
    ...articleOf(posts, judged),
  }))
}

const articleOf = (posts: readonly JudgedPost[], judged: readonly JudgedPost[]) => {
  const confirmed = posts.flatMap(({ post: { article } }) => (article.isConfirmed ? [article] : []))
  const suggestion = posts.find(suggestsName)
  return {
    title: confirmed.find(({ title }) => title !== null)?.title ?? null,
    url: confirmed.find(({ url }) => url !== null)?.url ?? null,
    suggestion: suggestion && {
      place: judged.indexOf(suggestion),
      title: suggestion.post.article.title,
      url: suggestion.post.article.url,
    },
  }
}

const suggestsName = ({ post, thread }: JudgedPost): boolean =>
  thread.isUnsuggested && isSuggestion(post.article)

export const toNewPost = (judged: JudgedPost): NewPost => {
  const { post, thread, parentId, parentHomeThreadId, depth, author, judgement, facts } = judged
  // A comment that may name the article keeps the name, for the case that it is hidden and shown again.
  const mayName = isVisible(judgement.verdict) ? suggestsName(judged) : post.article.url !== null
  return {
    threadId: thread.id,
    parentId,
    parentHomeThreadId,
    depth,
    author: author.id ?? post.author!,
    status: judgement.verdict,
    body: post.body,
    bodyHtml: post.bodyHtml,
    articleTitle: mayName ? post.article.title : null,
    articleUrl: mayName ? post.article.url : null,
    ...toJudgementColumns({ facts, trace: judgement.trace }),
    policyVersion: post.policy.version,
    risk: judgement.risk,
    shadowed: judged.isShadowed,
    ...post.hashes,
    network: post.network,
    addressHash: post.addressHash,
  }
}

/** The comment as its author may see it: an author is not told whether it is pending or spam. */
export const toPosted = (
  judged: JudgedPost,
  { id, authorId, createdAt, threadVersion }: InsertedPost,
): Posted => {
  const { post, thread, parentId, parentHomeThreadId, depth, author, judgement, facts } = judged
  const { isShadowed, isShownToAuthor } = judged
  const comment = {
    ...UNTOUCHED,
    threadId: thread.id,
    articleId: thread.articleId,
    id,
    parentId,
    parentHomeThreadId,
    depth,
    status: isShownToAuthor ? ('approved' as const) : ('pending' as const),
    author: { ...author, id: authorId },
    body: post.body,
    bodyHtml: post.bodyHtml,
    createdAt,
    publishedAt: isShownToAuthor ? createdAt : null,
  }
  return {
    comment,
    version: isShadowed
      ? shadowVersion(createdAt, id)
      : isShownToAuthor
        ? threadVersion!
        : undefined,
    newGuestId: author.id === undefined ? authorId : undefined,
    checking: checkTimingOf(judgement.trace, facts),
  }
}

/** A comment to which nothing has happened yet. */
const UNTOUCHED = {
  isErased: false,
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
