import { Type } from 'typebox'
import { now } from '../comments/schemas.ts'
import { object, openObject, text, time } from '../wire/schema-parts.ts'

export const TransferCode = openObject(
  {
    code: text('Twelve letters and digits in groups of four. It is returned only here.'),
    expires_at: time('Until when the code is valid: ten minutes.'),
    now,
  },
  { $id: 'TransferCode' },
)

export const CodeToRedeem = object(
  {
    code: Type.String({
      maxLength: 40,
      description: 'As people type it: in any case, with or without spaces and hyphens.',
    }),
  },
  { $id: 'CodeToRedeem', examples: [{ code: 'K7QF-M2XD-9RTA' }] },
)
