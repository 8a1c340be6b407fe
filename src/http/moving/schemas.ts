import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { explanation, flag, nullable, object } from '../wire/schema-parts.ts'

const article = (description: string) =>
  Type.String({ minLength: 1, maxLength: MAX_ARTICLE_ID, description })

const publish = Type.Optional(
  flag('True: readers may see the comments of a hidden thread. Needed if they would.'),
)

export const NewMove = object(
  {
    article_id: article('The target article. Its thread is created if it does not exist.'),
    parent_id: Type.Optional(
      nullable('string', {
        description: 'The new parent, which must be older. Null or omitted: a root comment.',
      }),
    ),
    publish,
    ...explanation,
  },
  { $id: 'NewMove', examples: [{ article_id: 'off-topic' }] },
)

export const NewMerge = object(
  {
    into: article('The target article. Its thread is created if it does not exist.'),
    publish,
    ...explanation,
  },
  { $id: 'NewMerge', examples: [{ into: 'hello-world', note: 'The article has a new address.' }] },
)
