import type { Author, Comment, Thread } from '../../domain/comment/comment.ts'
import { excerpt } from '../../domain/comment/excerpt.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Branch, Continuation } from '../../domain/comment/tree.ts'
import {
  authorId,
  batchId,
  type CommentKey,
  commentId,
  decisionId,
} from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import type { ModeratedThread } from '../../usecases/decisions/update-thread.ts'
import type { Decision } from '../../usecases/queue/moderation-log.ts'
import type { ModeratedComment, Revision } from '../../usecases/queue/queue.ts'
import type { Counts, RecentComment } from '../../usecases/reading/lists.ts'

import { presentFacts, presentTrace } from '../policies/present.ts'

/** Everything that goes out is built here, field by field: what is not named does not leave. */

/** Its own picture, or one made of the id: a path, because pages do not know their own address. */
export const avatarOf = ({ id, avatarUrl }: Pick<Author, 'id' | 'avatarUrl'>): string =>
  avatarUrl ?? `/v1/avatars/${authorId(id)}.svg`

export const presentAuthor = (author: Author) => ({
  id: authorId(author.id),
  name: author.name,
  url: author.url,
  avatar_url: avatarOf(author),
  role: author.role,
  kind: author.kind,
})

const parentOf = ({ threadId, parentId, parentHomeThreadId }: Comment): CommentKey => ({
  threadId,
  id: parentId,
  homeThreadId: parentHomeThreadId,
})

const presentPlace = (comment: Comment) => ({
  id: commentId(comment),
  article_id: comment.articleId,
  parent_id: comment.parentId === 0 ? null : commentId(parentOf(comment)),
  depth: comment.depth,
})

/** All of a comment: for its author, for moderators, and for readers once it is approved. */
export const presentWhole = (comment: Comment) => ({
  ...presentPlace(comment),
  author: presentAuthor(comment.author),
  body: comment.body,
  body_html: comment.bodyHtml,
  status: comment.status,
  revision: comment.revision,
  created_at: comment.createdAt,
  published_at: comment.publishedAt,
  edited_at: comment.editedAt,
  score: comment.score,
  upvotes: comment.upvotes,
  downvotes: comment.downvotes,
  pinned: comment.pinned,
  locked: comment.locked,
  reply_count: comment.replyCount,
})

/** Only its place, whatever the reason why it is hidden. */
const presentTombstone = (comment: Comment) => ({
  ...presentPlace(comment),
  author: null,
  body: null,
  body_html: null,
  status: 'deleted' as const,
  revision: 1,
  created_at: comment.createdAt,
  published_at: null,
  edited_at: null,
  score: 0,
  upvotes: 0,
  downvotes: 0,
  pinned: false,
  locked: false,
  reply_count: comment.replyCount,
})

/** What any reader may see of a comment that is shown. */
export const presentComment = (comment: Comment) =>
  isVisible(comment.status) ? presentWhole(comment) : presentTombstone(comment)

type WriteContinuation = (commentId: string, next: Continuation) => string | null

export const presentBranch = ({ comment, replies }: Branch, cursor: WriteContinuation): object => ({
  ...presentComment(comment),
  replies: {
    items: replies.items.map((branch) => presentBranch(branch, cursor)),
    next_cursor: cursor(commentId(comment), replies.next),
    remaining: replies.remaining,
  },
})

export const presentThread = (thread: Thread) => ({
  article_id: thread.articleId,
  title: thread.title,
  url: thread.url,
  state: thread.state,
  comment_count: thread.commentCount,
  root_count: thread.rootCount,
  last_comment_at: thread.lastCommentAt,
  closes_at: thread.closesAt,
  slow_mode_seconds: thread.slowModeSeconds,
  version: thread.version,
})

/** A thread that is hidden, or that no reader has ever seen, is like one that was never there. */
export const presentAbsentThread = (articleId: string, { slowModeSeconds }: Site) => ({
  article_id: articleId,
  title: null,
  url: null,
  state: 'open' as const,
  comment_count: 0,
  root_count: 0,
  last_comment_at: null,
  closes_at: null,
  slow_mode_seconds: slowModeSeconds,
  version: 0,
})

type InArticle = { articleId: string; articleTitle: string | null; articleUrl: string | null }

const presentArticle = (comment: InArticle) => ({
  id: comment.articleId,
  title: comment.articleTitle,
  url: comment.articleUrl,
})

export const presentRecent = (comment: RecentComment, excerptLength: number | undefined) => ({
  ...presentWhole(comment),
  article: presentArticle(comment),
  ...(excerptLength !== undefined && { excerpt: excerpt(comment.bodyHtml, excerptLength) }),
})

export const presentForModeration = (comment: ModeratedComment) => ({
  ...presentWhole(comment),
  article: presentArticle(comment),
  shadowed: comment.isShadowed,
  email: comment.email,
  network: comment.network,
  trace: presentTrace(comment.screening ?? []),
  risk: comment.risk,
  policy_version: comment.policyVersion,
  facts: comment.facts && presentFacts(comment.facts),
  claim: comment.claimedBy === null ? null : { by: comment.claimedBy, until: comment.claimedUntil },
  flag_count: comment.flagCount,
  flags: comment.flags.map((flag) => ({
    reason: flag.reason,
    note: flag.note,
    by: authorId(flag.authorId),
    flagged_at: flag.at,
    resolved: flag.isResolved,
  })),
})

export const presentRevision = (revision: Revision) => ({
  revision: revision.revision,
  body: revision.body,
  body_html: revision.bodyHtml,
  replaced_at: revision.replacedAt,
  replaced_by: revision.replacedBy,
})

export const presentDecision = (decision: Decision) => ({
  id: decisionId(decision.id),
  action: decision.action,
  comment_id:
    decision.threadId === null || decision.commentId === null
      ? null
      : commentId({ threadId: decision.threadId, id: decision.commentId }),
  subject: decision.subject,
  from: decision.from,
  to: decision.to,
  before: decision.before,
  after: decision.after,
  reason: decision.reason,
  note: decision.note,
  by: decision.by,
  at: decision.at,
  caused_by: nameIfAny(decisionId, decision.causedBy),
  batch_id: nameIfAny(batchId, decision.batchId),
  undoes: nameIfAny(decisionId, decision.undoes),
  undone_by: nameIfAny(decisionId, decision.undoneBy),
  policy_version: decision.policyVersion,
})

const nameIfAny = (name: (id: number) => string, id: number | null): string | null =>
  id === null ? null : name(id)

export const presentModeratedThread = (thread: ModeratedThread) => ({
  ...presentThread(thread),
  slow_mode_seconds: thread.ownSlowModeSeconds,
  stays_open: thread.staysOpen,
  moderation: thread.moderation ?? ('site' as const),
})

/** By article id; without a prototype, because an article may be called `__proto__`. */
export const presentCounts = (counts: readonly Counts[]): object => {
  const body = Object.create(null)
  for (const { articleId, commentCount, rootCount, lastCommentAt } of counts) {
    body[articleId] = {
      comment_count: commentCount,
      root_count: rootCount,
      last_comment_at: lastCommentAt,
    }
  }
  return body
}
