import type { Status } from '../comment/status.ts'
import type { Instant } from '../instant.ts'

/** The records that a file of another comment system says, one record after the other, in the order of the file. */
export type ImportRecord = OriginRecord | ThreadRecord | CommentRecord | SkipRecord | RepairRecord

/** The system that the ids of the file come from, such as `wordpress:https://blog.example`. It precedes all comments. */
export type OriginRecord = { readonly kind: 'origin'; readonly origin: string }

/** An article with comments. It may come before or after its comments, and repeatedly: the last one counts. */
export type ThreadRecord = {
  readonly kind: 'thread'
  /** Names the thread within the file. */
  readonly key: string
  /** The address, path or id of the article, as the file has it. */
  readonly address: string
  /** Plain text. */
  readonly title: string | null
  /** Whether the article takes no more comments. */
  readonly isClosed: boolean
}

/** An author as the file has it: an import creates a guest, whatever rights the author had there. */
export type AuthorOfRecord = {
  /** The author's id in the other system; null: name, e-mail and website tell authors apart. */
  readonly key: string | null
  /** Plain text as the file has it; empty: the author gave no name. */
  readonly name: string
  readonly email: string | null
  readonly url: string | null
}

export type CommentRecord = {
  readonly kind: 'comment'
  /** The comment's id in the other system, unique within the origin. */
  readonly id: string
  readonly threadKey: string
  /** Null: a root comment. The parent may come later in the file, or be missing. */
  readonly parentId: string | null
  readonly author: AuthorOfRecord
  readonly createdAt: Instant
  readonly editedAt: Instant | null
  readonly status: Status
  /** Markdown. Empty: the other system has deleted the text. */
  readonly body: string
  /** The text as the file has it, if it differs from `body`. */
  readonly original: string | null
  readonly upvotes: number
  readonly downvotes: number
  readonly isPinned: boolean
  /** The IP address of the author, if the file has one. */
  readonly address: string | null
}

export const SKIP_REASONS = [
  'pingback',
  'trackback',
  'other_type',
  'deleted',
  'empty',
  'no_thread',
  'bad_date',
  'no_id',
  'unapproved',
  'too_long',
] as const
export type SkipReason = (typeof SKIP_REASONS)[number]

/** A comment of the file that no import stores. */
export type SkipRecord = {
  readonly kind: 'skip'
  readonly reason: SkipReason
  /** The comment's id in the other system, or the line of the file. */
  readonly id: string
}

/** A fault of the file that the reader mended. */
export type RepairRecord = {
  readonly kind: 'repair'
  /** The mended fault, such as `a control character was left out`. */
  readonly what: string
  readonly line: number
  readonly column: number
}

export const IMPORT_FORMATS = [
  'wxr',
  'disqus',
  'commento',
  'comentario',
  'remark42',
  'isso',
  'artalk',
  'waline',
  'twikoo',
  'valine',
  'cusdis',
  'coral',
  'garrul',
  'generic',
  'afterword',
] as const
export type ImportFormat = (typeof IMPORT_FORMATS)[number]
