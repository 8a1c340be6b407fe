export type CommentKey = {
  /** The thread that the comment is in. */
  readonly threadId: number
  readonly id: number
  /** The thread that the comment was posted in, if it moved to another one. */
  readonly homeThreadId?: number | null
}

type CommentWithAuthor = CommentKey & { readonly author: { readonly id: number } }

/** The thread that the comment's public id names. */
export const homeThreadIdOf = ({ threadId, homeThreadId }: CommentKey): number =>
  homeThreadId ?? threadId

/** The letter that an id of each kind begins with, on the wire and in records. */
export const LETTERS = {
  author: 'a',
  batch: 'b',
  decision: 'd',
  auditEntry: 'e',
  key: 'k',
  note: 'n',
  appeal: 'p',
  reason: 'r',
  ban: 'x',
  import: 'i',
  site: 's',
} as const
export const COMMENT_LETTER = 'c'

export type IdKind = keyof typeof LETTERS

/**
 * Reads and writes public ids: a letter for the kind, then an encrypted block in base64url. They never
 * change, and tell neither order nor number. A comment's id also names the thread where the comment was
 * posted, so that one primary-key read finds it.
 *
 * A read returns undefined for every text that the same site's write did not return.
 */
export type PublicIds = {
  /** The public address of the service, before the paths of its URLs; empty if it is not known. */
  readonly service: string
  readonly write: (kind: IdKind, id: number) => string
  readonly read: (kind: IdKind, text: string) => number | undefined
  readonly writeComment: (key: CommentKey) => string
  /** Encrypts the ids of comments and their authors together, before they are written one by one. */
  readonly prepareComments: (comments: readonly CommentWithAuthor[]) => void
  readonly readComment: (text: string) => CommentKey | undefined
}

/** Returns the public ids of a site; null for what belongs to the whole service. */
export type PublicIdsOf = (siteId: number | null) => PublicIds
