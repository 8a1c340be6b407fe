import { Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { Author } from '../comments/schemas.ts'
import {
  nullable,
  object,
  oneOf,
  page,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const roles = (description: string) => Type.Array(oneOf(ROLES), { description })

export const Member = object(
  {
    author: ref(Author),
    subject: text("The site's own id of the member."),
    email: textOrNull('Never shown to readers.'),
    email_verified: Type.Boolean(),
    token_roles: roles('What the newest token says.'),
    roles: roles('What administrators gave.'),
    location: textOrNull('Shown with the staff.'),
    listed: Type.Boolean({ description: 'Among the staff that readers see.' }),
    created_at: time('When it was made.'),
    signed_on_at: timeOrNull('When its newest token was made; null before the first.'),
  },
  { $id: 'Member' },
)

export const MemberChange = object(
  {
    name: Type.Optional(Type.String({ description: 'Needed when there is no such member yet.' })),
    url: Type.Optional(nullable('string', { description: 'http or https.' })),
    avatar_url: Type.Optional(nullable('string', { description: 'http or https.' })),
    email: Type.Optional(nullable('string')),
    roles: Type.Optional(Type.Array(oneOf(ROLES), { maxItems: ROLES.length, uniqueItems: true })),
    location: Type.Optional(nullable('string', { description: 'Such as a country; plain text.' })),
    listed: Type.Optional(Type.Boolean()),
  },
  {
    $id: 'MemberChange',
    minProperties: 1,
    examples: [{ name: 'Grace', roles: ['contributor'], location: 'Canada', listed: true }],
  },
)

export const Staff = object(
  {
    name: text('Plain text.'),
    location: textOrNull('Such as a country.'),
    url: textOrNull('http or https.'),
    avatar_url: text('http or https; or a path of this service.'),
    roles: roles('Least first; a person may have several.'),
  },
  { $id: 'Staff' },
)

export const StaffPage = object(page(ref(Staff)), { $id: 'StaffPage' })
