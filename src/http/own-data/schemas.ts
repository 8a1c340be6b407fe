import { Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { APPEAL_OUTCOMES } from '../../domain/moderation/statement.ts'
import { commentWith } from '../comments/schemas.ts'
import {
  by,
  flag,
  oneOf,
  oneOrNull,
  openObject,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

export const ErasureStatus = openObject(
  { status: oneOf(['running'], { description: 'The erasure continues in the background.' }) },
  { $id: 'ErasureStatus' },
)

const commentId = text('Id of the comment.')

export const ExportedComment = commentWith('ExportedComment', {
  network: textOrNull(
    'Truncated network of the sender. Null if unknown, and after the retention time.',
  ),
  shadowed: Type.Optional(
    flag('True if a ban shows the comment to its author only. Only administrators see this field.'),
  ),
  revisions: Type.Array(
    openObject({
      revision: Type.Integer(),
      body: text('The Markdown source.'),
      replaced_at: time('When an edit replaced the text.'),
    }),
    { description: 'The texts before each edit, oldest first.' },
  ),
})

export const Export = openObject(
  {
    author: openObject({
      id: text('Id of the author.'),
      kind: oneOf(['guest', 'member']),
      name: text('The published name.'),
      url: textOrNull('http or https.'),
      avatar_url: textOrNull('http or https.'),
      email: textOrNull('Never published.'),
      email_verified: flag('Whether the site has verified the e-mail address.'),
      subject: textOrNull("The member's id in the site's user database. Null for a guest."),
      roles: Type.Array(oneOf(ROLES)),
      token_roles_ignored: flag('Whether only the roles set by administrators count.'),
      suspended_at: timeOrNull(
        'Since when tokens of the member are refused. Null: they are valid.',
      ),
      location: textOrNull('Shown in the staff list.'),
      created_at: time('When the author was created.'),
      signed_on_at: timeOrNull("When the member's latest token was issued."),
      transfer_code_until: timeOrNull('When the code for another device of the guest expires.'),
    }),
    comments: Type.Array(ref(ExportedComment)),
    votes: Type.Array(
      openObject({
        comment_id: commentId,
        value: Type.Integer({ description: '1 or -1.' }),
        voted_at: time('When the author voted.'),
      }),
    ),
    flags: Type.Array(
      openObject({
        comment_id: commentId,
        reason: oneOf(FLAG_REASONS),
        note: textOrNull('For moderators.'),
        flagged_at: time('When the author flagged the comment.'),
      }),
    ),
    appeals: Type.Array(
      openObject({
        comment_id: commentId,
        text: text("The author's explanation."),
        appealed_at: time('When the author appealed.'),
        outcome: oneOrNull(APPEAL_OUTCOMES, 'Null until answered.'),
        note: textOrNull('The answer to the author.'),
        answered_at: timeOrNull('When a moderator answered. Null until then.'),
      }),
    ),
    notes: Type.Array(
      openObject({
        id: text('Id of the note.'),
        note: text('A note by a moderator about the author.'),
        by,
        noted_at: time('When it was added.'),
      }),
    ),
  },
  { $id: 'Export' },
)
