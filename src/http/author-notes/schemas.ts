import { Type } from 'typebox'
import { object, page, ref, text, time } from '../wire/schema-parts.ts'

export const NewAuthorNote = object(
  { note: Type.String({ minLength: 1, maxLength: 2000, description: 'For other moderators.' }) },
  { $id: 'NewAuthorNote', examples: [{ note: 'Warned twice about advertising.' }] },
)

export const AuthorNote = object(
  {
    id: text('Opaque.'),
    author_id: text('Whom it is about.'),
    note: text('What was written.'),
    by: text('Id of the key or member.'),
    at: time('When.'),
  },
  { $id: 'AuthorNote' },
)

export const AuthorNotesPage = object(page(ref(AuthorNote)), { $id: 'AuthorNotesPage' })
