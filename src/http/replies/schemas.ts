import { Type } from 'typebox'
import { commentWith } from '../comments/schemas.ts'
import { count, cursorOrNull, openObject, page, ref } from '../wire/schema-parts.ts'

export const Branch = commentWith('Branch', {
  replies: openObject(
    {
      items: Type.Array(Type.Unsafe({ $ref: 'Branch#' })),
      next_cursor: cursorOrNull('Cursor for `listReplies`. Null if all replies are included.'),
      remaining: count('Direct replies that `items` does not include.'),
    },
    { description: 'The first replies.' },
  ),
})

export const RepliesPage = openObject(page(ref(Branch)), { $id: 'RepliesPage' })
