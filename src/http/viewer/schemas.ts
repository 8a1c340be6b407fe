import { Type } from 'typebox'
import { REFUSALS, type RefusalCode } from '../../domain/refusal.ts'
import { Author, Comment } from '../comments/schemas.ts'
import { flag, oneOrNull, openObject, ref, refOrNull, timeOrNull } from '../wire/schema-parts.ts'

const value = (description: string) =>
  Type.Unsafe<-1 | 0 | 1>({ type: 'integer', enum: [-1, 0, 1], description })

export const Viewer = openObject(
  {
    author: refOrNull(Author, 'Null without a credential, and for API keys.'),
    may_post: flag('Whether the caller can post in this thread.'),
    reason: oneOrNull(
      Object.keys(REFUSALS) as RefusalCode[],
      'The error code that a post would get now. Null if the caller can post.',
    ),
    may_post_at: timeOrNull('With `slow_mode`: when the caller can post again.'),
    votes: Type.Record(Type.String(), value('1 or -1.'), {
      description: "The caller's votes, by comment id.",
    }),
    pending: Type.Array(ref(Comment), {
      description: "The caller's held comments in this thread, newest first.",
    }),
  },
  { $id: 'Viewer' },
)
