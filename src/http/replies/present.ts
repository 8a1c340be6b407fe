import type { Branch, Continuation } from '../../domain/comment/tree.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { presentComment } from '../comments/present.ts'
import { writeCursor } from '../wire/cursors.ts'
import type { CursorKey } from '../wire/keys.ts'

type WriteContinuation = (commentId: string, next: Continuation) => string | null

export const presentBranch = (
  ids: PublicIds,
  { comment, replies }: Branch,
  cursor: WriteContinuation,
): object => ({
  ...presentComment(ids, comment),
  replies: {
    items: replies.items.map((branch) => presentBranch(ids, branch, cursor)),
    next_cursor: cursor(ids.writeComment(comment), replies.next),
    remaining: replies.remaining,
  },
})

/** Writes the `next_cursor` of replies, which `listThread` and `listReplies` share. */
export const replyCursor =
  (key: CursorKey, siteId: number, sort: string): WriteContinuation =>
  (commentId, next) =>
    next &&
    writeCursor(key, ['replies', siteId, commentId], {
      sort,
      after: next === 'start' ? null : next,
    })
