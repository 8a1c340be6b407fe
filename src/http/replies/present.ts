import type { Comment } from '../../domain/comment/comment.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import type { Branch, Continuation } from '../../domain/comment/tree.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { presentComment } from '../comments/present.ts'
import { writeSortedCursor } from '../wire/cursors.ts'
import type { CursorKeys } from '../wire/keys.ts'

type WriteContinuation = (commentId: string, next: Continuation) => string | null

export const presentBranches = (
  ids: PublicIds,
  branches: readonly Branch[],
  cursor: WriteContinuation,
): object[] => {
  ids.prepareComments(listComments(branches))
  return branches.map((branch) => presentBranch(ids, branch, cursor))
}

const listComments = (branches: readonly Branch[]): Comment[] =>
  branches.flatMap(({ comment, replies }) => [comment, ...listComments(replies.items)])

const presentBranch = (
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
  (key: CursorKeys, siteId: number, sort: Sort): WriteContinuation =>
  (commentId, next) =>
    next &&
    writeSortedCursor(key, ['replies', siteId, commentId], {
      sort,
      after: next === 'start' ? null : next,
    })
