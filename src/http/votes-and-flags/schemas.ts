import { Type } from 'typebox'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { count, nullable, object, oneOf, openObject, text, time } from '../wire/schema-parts.ts'

const value = (description: string) =>
  Type.Unsafe<-1 | 0 | 1>({ type: 'integer', enum: [-1, 0, 1], description })

export const NewVote = object(
  { value: value('1: for the comment. -1: against it. 0: no vote.') },
  { $id: 'NewVote', examples: [{ value: 1 }] },
)

export const Vote = openObject(
  {
    comment_id: text('Id of the comment.'),
    value: value("The caller's vote."),
    score: Type.Integer({ description: '`upvotes` minus `downvotes`.' }),
    upvotes: count('Votes of 1.'),
    downvotes: count('Votes of -1.'),
  },
  { $id: 'Vote' },
)

const reason = oneOf(FLAG_REASONS)

export const NewFlag = object(
  {
    reason,
    note: Type.Optional(
      nullable('string', { minLength: 1, maxLength: 1000, description: 'For moderators.' }),
    ),
  },
  { $id: 'NewFlag', examples: [{ reason: 'spam', note: 'The same under every article.' }] },
)

export const Flag = openObject(
  { reason, flagged_at: time('When the caller flagged the comment.') },
  { $id: 'Flag' },
)
