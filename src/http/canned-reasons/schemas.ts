import { Type } from 'typebox'
import { REASONS } from '../../domain/comment/status.ts'
import { object, oneOf, openObject, page, ref, text } from '../wire/schema-parts.ts'

const fields = {
  title: Type.String({ minLength: 1, maxLength: 200, description: 'Shown in a menu.' }),
  reason: oneOf(REASONS, { description: 'The `reason` of the decision.' }),
  note: Type.String({ minLength: 1, maxLength: 2000, description: 'The `note` of the decision.' }),
}

export const NewCannedReason = object(fields, {
  $id: 'NewCannedReason',
  examples: [{ title: 'Advertising', reason: 'spam', note: 'Please do not advertise here.' }],
})

export const CannedReasonChange = object(Type.Partial(Type.Object(fields)).properties, {
  $id: 'CannedReasonChange',
  minProperties: 1,
  examples: [{ title: 'Advertising, second time' }],
})

export const CannedReason = openObject(
  { id: text('Id of the canned reason.'), ...fields },
  { $id: 'CannedReason' },
)

export const CannedReasonsPage = openObject(page(ref(CannedReason)), { $id: 'CannedReasonsPage' })
