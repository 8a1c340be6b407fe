import { Type } from 'typebox'
import { REFUSALS, type RefusalCode } from '../../domain/refusal.ts'
import { oneOf, openObject, text } from './schema-parts.ts'

const CODES = Object.keys(REFUSALS) as RefusalCode[]

export const ErrorCode = oneOf(CODES, {
  $id: 'ErrorCode',
  description: 'Stable code of the error, for programs.',
})

export const Problem = openObject(
  {
    type: text('A URN that names the code.'),
    title: text('The error, in one sentence for people.'),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: Type.Unsafe<RefusalCode>({ $ref: 'ErrorCode#' }),
    errors: Type.Optional(
      Type.Array(
        openObject({
          pointer: Type.Optional(text('JSON pointer to the faulty field of the body.')),
          parameter: Type.Optional(text('The faulty parameter or header.')),
          detail: text('The problem with the field.'),
        }),
      ),
    ),
  },
  { $id: 'Problem', description: 'An error as RFC 9457 defines it.' },
)

export const Health = openObject(
  {
    status: oneOf(['ok', 'degraded', 'unavailable']),
    checks: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'Status of each dependency.' }),
    ),
  },
  { $id: 'Health' },
)
