import { Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { Author } from '../comments/schemas.ts'
import {
  flag,
  nullable,
  object,
  oneOf,
  openObject,
  page,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const roles = (description: string) => Type.Array(oneOf(ROLES), { description })

export const Member = openObject(
  {
    author: ref(Author),
    subject: text("The member's id in the site's user database."),
    email: textOrNull('Never published.'),
    email_verified: flag('Whether the site has verified the e-mail address.'),
    token_roles: roles("Roles from the member's latest token."),
    roles: roles('Roles set by administrators.'),
    token_roles_ignored: flag('Whether only the roles set by administrators count.'),
    suspended_at: timeOrNull('Since when tokens of the member are refused. Null: they are valid.'),
    location: textOrNull('Shown in the staff list.'),
    listed: flag('Whether the public staff list shows the member.'),
    created_at: time('When the member was created.'),
    signed_on_at: timeOrNull("When the member's latest token was issued. Null before the first."),
  },
  { $id: 'Member' },
)

export const MemberChange = object(
  {
    name: Type.Optional(Type.String({ description: 'Required to create a member.' })),
    url: Type.Optional(nullable('string', { description: 'http or https.' })),
    avatar_url: Type.Optional(nullable('string', { description: 'http or https.' })),
    email: Type.Optional(nullable('string', { description: 'Never published.' })),
    roles: Type.Optional(Type.Array(oneOf(ROLES), { maxItems: ROLES.length, uniqueItems: true })),
    token_roles_ignored: Type.Optional(
      flag(
        'True: only `roles` count, whatever tokens say. With `roles: []` the member has no role.',
      ),
    ),
    suspended: Type.Optional(
      flag(
        'True: every token of the member is refused with `member_suspended`, also old and new ones.',
      ),
    ),
    location: Type.Optional(
      nullable('string', { description: 'Plain text, for example a country.' }),
    ),
    listed: Type.Optional(flag('Whether the public staff list shows the member.')),
  },
  {
    $id: 'MemberChange',
    minProperties: 1,
    examples: [{ name: 'Grace', roles: ['contributor'], location: 'Canada', listed: true }],
  },
)

export const MembersPage = openObject(page(ref(Member)), { $id: 'MembersPage' })

/** The filters of members and of authors. */
export const personFilter = {
  name: Type.Optional(
    Type.String({ minLength: 1, maxLength: 80, description: 'Only names that begin with this.' }),
  ),
  q: Type.Optional(
    Type.String({ minLength: 1, maxLength: 80, description: 'Only names that contain this.' }),
  ),
  role: Type.Optional(oneOf(ROLES, { description: 'Only people whose highest role is this.' })),
  suspended: Type.Optional(flag('Only suspended members, or only people who are not.')),
}
