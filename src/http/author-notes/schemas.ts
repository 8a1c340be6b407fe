import { Type } from 'typebox'
import { by, object, openObject, page, ref, text, time } from '../wire/schema-parts.ts'

export const NewAuthorNote = object(
  { note: Type.String({ minLength: 1, maxLength: 2000, description: 'For other moderators.' }) },
  { $id: 'NewAuthorNote', examples: [{ note: 'Warned twice about advertising.' }] },
)

export const AuthorNote = openObject(
  {
    id: text('Id of the note.'),
    author_id: text('Id of the author.'),
    note: text('The text.'),
    by,
    at: time('When it was added.'),
  },
  { $id: 'AuthorNote' },
)

export const AuthorNotesPage = openObject(page(ref(AuthorNote)), { $id: 'AuthorNotesPage' })
