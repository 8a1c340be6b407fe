import type { KeyObject } from 'node:crypto'
import type { Branch, Continuation } from '../../domain/comment/tree.ts'
import { commentId } from '../../domain/public-id.ts'
import { presentComment } from '../comments/present.ts'
import { writeCursor } from '../wire/cursors.ts'

type WriteContinuation = (commentId: string, next: Continuation) => string | null

export const presentBranch = ({ comment, replies }: Branch, cursor: WriteContinuation): object => ({
  ...presentComment(comment),
  replies: {
    items: replies.items.map((branch) => presentBranch(branch, cursor)),
    next_cursor: cursor(commentId(comment), replies.next),
    remaining: replies.remaining,
  },
})

/** Writes the `next_cursor` of replies, which `listThread` and `listReplies` share. */
export const replyCursor =
  (key: KeyObject, siteId: number, sort: string): WriteContinuation =>
  (commentId, next) =>
    next &&
    writeCursor(key, ['replies', siteId, commentId], {
      sort,
      after: next === 'start' ? null : next,
    })
