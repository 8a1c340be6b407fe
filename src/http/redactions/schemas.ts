import { Type } from 'typebox'
import { REASONS } from '../../domain/comment/status.ts'
import { nullable, object, oneOf } from '../wire/schema-parts.ts'

export const NewRedaction = object(
  {
    reason: oneOf(REASONS),
    note: Type.Optional(
      nullable('string', {
        maxLength: 2000,
        description: 'Why. It stays for ever: do not quote the text.',
      }),
    ),
    revision: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Only this earlier revision. Omitted: the whole comment.',
      }),
    ),
  },
  { $id: 'NewRedaction', examples: [{ reason: 'illegal', note: 'Court order 12/26.' }] },
)
