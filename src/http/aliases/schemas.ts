import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { object, openObject, page, ref, text } from '../wire/schema-parts.ts'

export const NewAlias = object(
  {
    article_id: Type.String({
      minLength: 1,
      maxLength: MAX_ARTICLE_ID,
      description: 'The further id, such as the former address of the article.',
    }),
  },
  { $id: 'NewAlias', examples: [{ article_id: 'https://blog.example/?p=17' }] },
)

export const Alias = openObject(
  {
    article_id: text('The further id.'),
    alias_of: text("The article's own id, which all responses contain."),
  },
  { $id: 'Alias' },
)

export const AliasPage = openObject(page(ref(Alias)), { $id: 'AliasPage' })
