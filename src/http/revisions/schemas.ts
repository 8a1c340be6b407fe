import { Type } from 'typebox'
import { openObject, page, text, time } from '../wire/schema-parts.ts'

export const RevisionsPage = openObject(
  page(
    openObject({
      author_id: text('The author of the comment.'),
      revision: Type.Integer({ minimum: 1, description: 'Number of the revision.' }),
      body: text('The Markdown source.'),
      body_html: text('Rendered and sanitised.'),
      replaced_at: time('When an edit replaced the text.'),
      replaced_by: text('Id of the author or API key that edited it.'),
    }),
  ),
  { $id: 'RevisionsPage' },
)
