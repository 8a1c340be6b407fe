import { Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { oneOf, openObject, page, ref, text, textOrNull } from '../wire/schema-parts.ts'

const location = textOrNull('For example a country.')
const roles = Type.Array(oneOf(ROLES), {
  description: 'Lowest role first. A person can have several.',
})

export const StaffRoles = openObject({ roles, location }, { $id: 'StaffRoles' })

export const Staff = openObject(
  {
    id: text('The `author.id` of their comments.'),
    name: text('Plain text.'),
    location,
    url: textOrNull('http or https.'),
    avatar_url: text(
      'http or https. A service without AFTERWORD_PUBLIC_URL returns the path of a generated avatar below its address.',
    ),
    roles,
  },
  { $id: 'Staff' },
)

export const StaffPage = openObject(page(ref(Staff)), { $id: 'StaffPage' })
