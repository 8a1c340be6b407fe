import { Type } from 'typebox'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { REFUSALS } from '../../domain/refusal.ts'
import { AuthorOrNull, Comment } from '../comments/schemas.ts'
import {
  count,
  nullable,
  object,
  oneOf,
  ref,
  text,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const value = (description: string) =>
  Type.Unsafe<-1 | 0 | 1>({ type: 'integer', enum: [-1, 0, 1], description })

export const NewVote = object(
  { value: value('1 is for it, -1 against it, 0 takes the vote back.') },
  { $id: 'NewVote', examples: [{ value: 1 }] },
)

export const Vote = object(
  {
    comment_id: text('The comment.'),
    value: value('Your vote as it stands.'),
    score: Type.Integer({ description: 'upvotes − downvotes.' }),
    upvotes: count('Votes for it.'),
    downvotes: count('Votes against it.'),
  },
  { $id: 'Vote' },
)

export const NewFlag = object(
  {
    reason: oneOf(FLAG_REASONS),
    note: Type.Optional(
      nullable('string', { minLength: 1, maxLength: 1000, description: 'For moderators.' }),
    ),
  },
  { $id: 'NewFlag', examples: [{ reason: 'spam', note: 'The same under every article.' }] },
)

export const Flag = object(
  {
    reason: oneOf(FLAG_REASONS),
    flagged_at: time('When.'),
  },
  { $id: 'Flag' },
)

export const Viewer = object(
  {
    author: AuthorOrNull('Null for nobody, and for keys.'),
    may_post: Type.Boolean(),
    reason: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      enum: [...Object.keys(REFUSALS), null],
      description: 'The code that posting would be refused with at this moment.',
    }),
    may_post_at: timeOrNull('With `slow_mode`: when the next comment is accepted.'),
    votes: Type.Record(Type.String(), value('1 or -1.'), {
      description: 'Your votes, by id of the comment.',
    }),
    pending: Type.Array(ref(Comment), {
      description: 'What you wrote here and a moderator has yet to see, newest first.',
    }),
  },
  { $id: 'Viewer' },
)
