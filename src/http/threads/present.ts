import type { Thread, ThreadState } from '../../domain/comment/comment.ts'
import type { Site } from '../../domain/site/site.ts'
import type { ModeratedThread } from '../../usecases/decisions/update-thread.ts'
import type { Counts } from '../../usecases/reading/lists.ts'
import { whoMayPost } from '../../usecases/reading/who-may-post.ts'

const presentPosting = (site: Site, state?: ThreadState) => {
  const { mayPost, reason } = whoMayPost(site, state)
  return { may_post: mayPost, reason: reason ?? null }
}

const presentCommon = (thread: Thread) => ({
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

export const presentThread = (site: Site, thread: Thread) => ({
  ...presentCommon(thread),
  ...presentPosting(site, thread.state),
})

/** A thread that is hidden or was never visible looks like a thread that does not exist. */
export const presentAbsentThread = (articleId: string, site: Site) => ({
  article_id: articleId,
  title: null,
  url: null,
  state: 'open' as const,
  comment_count: 0,
  root_count: 0,
  last_comment_at: null,
  closes_at: null,
  slow_mode_seconds: site.slowModeSeconds,
  version: 0,
  ...presentPosting(site),
})

export const presentModeratedThread = (thread: ModeratedThread) => ({
  ...presentCommon(thread),
  slow_mode_seconds: thread.ownSlowModeSeconds,
  stays_open: thread.staysOpen,
  confirmed: thread.isConfirmed,
  created_at: thread.createdAt,
  moderation: thread.moderation ?? ('site' as const),
})

/** Counts by article id, in an object without a prototype, because `__proto__` is a valid article id. */
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
