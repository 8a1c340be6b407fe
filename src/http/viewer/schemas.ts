import { Type } from 'typebox'
import { REASONS } from '../../domain/comment/status.ts'
import { DECIDERS } from '../../domain/moderation/statement.ts'
import { REFUSALS, type RefusalCode } from '../../domain/refusal.ts'
import { Author, now, OwnComment } from '../comments/schemas.ts'
import {
  flag,
  oneOf,
  oneOrNull,
  openObject,
  ref,
  refOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const value = (description: string) =>
  Type.Unsafe<-1 | 0 | 1>({ type: 'integer', enum: [-1, 0, 1], description })

export const DecidedComment = openObject(
  {
    id: text('Id of the comment.'),
    status: oneOf(['removed'], { description: 'As in the statement.' }),
    decision: openObject({
      by: oneOf(DECIDERS),
      reason: oneOrNull(REASONS, 'The reason that a moderator gave.'),
      note: textOrNull("The answer to the author's appeal. Null without one."),
      at: time('When it was decided.'),
    }),
    may_appeal: flag('Whether the author can appeal now. There is no deadline.'),
  },
  { $id: 'DecidedComment' },
)

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
    pending: Type.Array(ref(OwnComment), {
      description: "The caller's held comments in this thread, newest first.",
    }),
    editable: Type.Record(Type.String(), time('The end of the edit window.'), {
      description: 'The published comments that the caller can edit, by comment id.',
    }),
    decided: Type.Array(ref(DecidedComment), {
      description:
        "The caller's comments in this thread that others turned down in the last 30 days, newest first.",
    }),
    now,
  },
  { $id: 'Viewer' },
)
