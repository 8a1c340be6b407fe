import { Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { OUTCOMES } from '../../domain/moderation/statement.ts'
import { commentFields } from '../comments/schemas.ts'
import {
  object,
  oneOf,
  oneOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

export const Erasure = object(
  { status: oneOf(['running'], { description: 'It goes on by itself until all is gone.' }) },
  { $id: 'Erasure' },
)

export const Export = object(
  {
    author: object({
      id: text('Opaque.'),
      kind: oneOf(['guest', 'member']),
      name: text('As readers see it.'),
      url: textOrNull('http or https.'),
      avatar_url: textOrNull('http or https.'),
      email: textOrNull('Never shown to readers.'),
      email_verified: Type.Boolean(),
      subject: textOrNull("The site's own id of a member."),
      roles: Type.Array(oneOf(ROLES)),
      location: textOrNull('Shown with the staff.'),
      created_at: time('When it was first seen.'),
      signed_on_at: timeOrNull('When its newest token was made.'),
    }),
    comments: Type.Array(
      object({
        ...commentFields,
        network: textOrNull('Where it came from, truncated; null once it is forgotten.'),
        shadowed: Type.Optional(
          Type.Boolean({
            description: 'True, for administrators alone: a ban shows it to nobody but its author.',
          }),
        ),
        revisions: Type.Array(
          object({
            revision: Type.Integer(),
            body: text('What it said.'),
            replaced_at: time('Until when.'),
          }),
          { description: 'What it said before each edit, oldest first.' },
        ),
      }),
    ),
    votes: Type.Array(
      object({
        comment_id: text('The comment.'),
        value: Type.Integer(),
        voted_at: time('When.'),
      }),
    ),
    flags: Type.Array(
      object({
        comment_id: text('The comment.'),
        reason: oneOf(FLAG_REASONS),
        note: textOrNull('For moderators.'),
        flagged_at: time('When.'),
      }),
    ),
    appeals: Type.Array(
      object({
        comment_id: text('The comment.'),
        text: text('Why somebody else should look again.'),
        appealed_at: time('When.'),
        outcome: oneOrNull(OUTCOMES, 'Null while it waits.'),
        note: textOrNull('What it was told.'),
        answered_at: timeOrNull('When it was answered.'),
      }),
    ),
    notes: Type.Array(
      object({
        id: text('Opaque.'),
        note: text('What moderators noted about it.'),
        by: text('Id of the key or member.'),
        noted_at: time('When.'),
      }),
    ),
  },
  { $id: 'Export' },
)
