import { Type } from 'typebox'
import { ROLES } from '../../domain/comment/comment.ts'
import { oneOf, openObject, page, ref, text, textOrNull } from '../wire/schema-parts.ts'

const roles = (description: string) => Type.Array(oneOf(ROLES), { description })

export const Staff = openObject(
  {
    name: text('Plain text.'),
    location: textOrNull('For example a country.'),
    url: textOrNull('http or https.'),
    avatar_url: text('http or https; or the path of a generated avatar on this service.'),
    roles: roles('Lowest role first. A person can have several.'),
  },
  { $id: 'Staff' },
)

export const StaffPage = openObject(page(ref(Staff)), { $id: 'StaffPage' })
