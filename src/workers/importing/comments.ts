import type { AuthorOfRecord, CommentRecord, SkipReason } from '../../domain/importing/records.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Body } from './bodies.ts'
import type { Emit } from './reader.ts'

/** Fields of a comment as a reader finds them. Missing fields have the value of most comments. */
export type Found = {
  readonly id: string
  readonly threadKey: string
  readonly parentId?: string | null
  readonly author: AuthorOfRecord
  readonly createdAt: Instant | null
  readonly editedAt?: Instant | null
  readonly status: CommentRecord['status']
  readonly body: Body
  readonly upvotes?: number
  readonly downvotes?: number
  readonly isPinned?: boolean
  readonly address?: string | null
}

const reasonToSkip = ({
  id,
  threadKey,
  createdAt,
  body,
  status,
}: Found): SkipReason | undefined => {
  if (id === '') return 'no_id'
  if (threadKey === '') return 'no_thread'
  if (createdAt === null) return 'bad_date'
  return body.body === '' && status !== 'deleted' ? 'empty' : undefined
}

/** Hands over a comment, or says why it is none. Returns whether it was one. */
export const sayComment = (found: Found, line: number, emit: Emit): boolean => {
  const reason = reasonToSkip(found)
  if (reason) {
    emit({ kind: 'skip', reason, id: found.id || `line ${line}` })
    return false
  }
  const { body, createdAt, ...rest } = found
  const comment = {
    parentId: null,
    editedAt: null,
    upvotes: 0,
    downvotes: 0,
    isPinned: false,
    address: null,
    ...rest,
  }
  emit({ kind: 'comment', ...comment, createdAt: createdAt!, ...body })
  return true
}
