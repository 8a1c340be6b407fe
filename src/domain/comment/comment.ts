import type { Instant } from '../instant.ts'
import type { Status } from './status.ts'

/** Least first. A person may have several; what a comment shows is the highest. */
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
  /** When it closes by itself; null: it does not. */
  readonly closesAt: Instant | null
  /** So long a person waits between two comments; 0: not at all. */
  readonly slowModeSeconds: number
  readonly version: number
}

export type Comment = {
  readonly threadId: number
  readonly articleId: string
  readonly id: number
  /** Where it was written; null: where it is. */
  readonly homeThreadId: number | null
  /** 0 for a root. */
  readonly parentId: number
  /** Where its parent was written; null: in the same thread as it is. */
  readonly parentHomeThreadId: number | null
  readonly depth: number
  readonly status: Status
  readonly author: Author
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
  /** Direct replies that are shown, tombstones included. */
  readonly replyCount: number
}
