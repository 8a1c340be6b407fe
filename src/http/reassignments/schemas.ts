import { Type } from 'typebox'
import { count, flag, object, oneOf, openObject, text } from '../wire/schema-parts.ts'

export const NewReassignment = object(
  {
    from: Type.String({
      minLength: 1,
      maxLength: 100,
      description:
        '`email` for all imported guests with the verified e-mail address of the member, or the id of one guest.',
    }),
    dry_run: Type.Optional(Type.Boolean({ description: 'Only counts. Default: false.' })),
  },
  { $id: 'NewReassignment', examples: [{ from: 'email', dry_run: true }] },
)

export const Reassignment = openObject(
  {
    status: oneOf(['done', 'running', 'dry_run'], {
      description: 'Whether it is done, continues in the background, or was only counted.',
    }),
    guests: count('Guests that act no more.'),
    comments: count('Their comments.'),
    votes: count('Their votes. The member keeps one vote per comment, and none on own comments.'),
    flags: count('Their flags.'),
    appeals: count('Their appeals.'),
    comment_ids: Type.Array(text('Id of a comment.'), {
      description: 'The first twenty of the comments.',
    }),
    is_cut: flag('Whether more guests have the address: another request takes them.'),
  },
  { $id: 'Reassignment' },
)
