import { Type } from 'typebox'
import { REASONS, type Reason } from '../../domain/comment/status.ts'
import { nullable, object } from '../wire/schema-parts.ts'

const article = (description: string) => Type.String({ minLength: 1, maxLength: 512, description })

const why = {
  reason: Type.Optional(
    Type.Unsafe<Reason | null>({ type: ['string', 'null'], enum: [...REASONS, null] }),
  ),
  note: Type.Optional(nullable('string', { maxLength: 2000 })),
}

export const NewMove = object(
  {
    article_id: article('The article whose thread gets it; the thread is made if need be.'),
    parent_id: Type.Optional(
      nullable('string', {
        description: 'What it replies to there; it must be older. Null or missing: nothing.',
      }),
    ),
    ...why,
  },
  { $id: 'NewMove', examples: [{ article_id: 'off-topic' }] },
)

export const NewMerge = object(
  {
    into: article('The article whose thread gets all; the thread is made if need be.'),
    ...why,
  },
  { $id: 'NewMerge', examples: [{ into: 'hello-world', note: 'The article has a new address.' }] },
)
