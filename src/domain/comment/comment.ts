import type { Instant } from '../instant.ts'
import type { Status } from './status.ts'

/** Staff roles from least to most rights. A comment shows its author's highest role. */
export const ROLES = ['reader', 'contributor', 'moderator', 'owner'] as const
export type Role = (typeof ROLES)[number]

export type Author = {
  readonly id: number
  readonly kind: 'guest' | 'member'
  readonly role: Role
  readonly name: string
  readonly url: string | null
  readonly avatarUrl: string | null
}

export const THREAD_STATES = ['open', 'closed', 'locked', 'hidden'] as const
export type ThreadState = (typeof THREAD_STATES)[number]

/** A thread as readers see it. */
export type Thread = {
  readonly id: number
  readonly articleId: string
  readonly title: string | null
  readonly url: string | null
  readonly state: ThreadState
  readonly commentCount: number
  readonly rootCount: number
  readonly lastCommentAt: Instant | null
  /** When the thread closes automatically. Null if it does not. */
  readonly closesAt: Instant | null
  /** Slow mode: how long an author must wait between two comments. 0 if slow mode is off. */
  readonly slowModeSeconds: number
  readonly version: number
}

export type Comment = {
  readonly threadId: number
  readonly articleId: string
  readonly id: number
  /** The thread the comment was posted in. Null if it never moved to another thread. */
  readonly homeThreadId: number | null
  /** 0 if the comment is a root. */
  readonly parentId: number
  /** The thread the parent was posted in. Null if the parent never moved to another thread. */
  readonly parentHomeThreadId: number | null
  readonly depth: number
  readonly status: Status
  readonly author: Author
  /** Whether the author is erased. A job then removes the text. */
  readonly isErased: boolean
  readonly body: string
  readonly bodyHtml: string
  readonly revision: number
  readonly createdAt: Instant
  readonly publishedAt: Instant | null
  readonly editedAt: Instant | null
  readonly score: number
  readonly upvotes: number
  readonly downvotes: number
  readonly pinned: boolean
  readonly locked: boolean
  /** Direct replies that readers see, tombstones included. */
  readonly replyCount: number
}
