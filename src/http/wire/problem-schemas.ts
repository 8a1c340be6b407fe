import { Type } from 'typebox'
import { REFUSALS, type RefusalCode } from '../../domain/refusal.ts'
import { object, oneOf, text } from './schema-parts.ts'

const CODES = Object.keys(REFUSALS) as RefusalCode[]

export const Problem = object(
  {
    type: text('A URN that names the code.'),
    title: text('What the code means, for people.'),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: oneOf(CODES, { description: 'What programs decide by.' }),
    errors: Type.Optional(
      Type.Array(
        object({
          pointer: Type.Optional(text('JSON pointer to the field of the body that is at fault.')),
          parameter: Type.Optional(text('The parameter or header that is at fault.')),
          detail: text('What is wrong with it.'),
        }),
      ),
    ),
  },
  { $id: 'Problem' },
)

export const Health = object(
  {
    status: oneOf(['ok', 'degraded', 'unavailable']),
    checks: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { $id: 'Health' },
)
