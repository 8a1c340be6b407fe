import { Type } from 'typebox'
import { object } from '../wire/schema-parts.ts'

const field = (maxLength: number, description: string) =>
  Type.Optional(Type.String({ maxLength, description }))

export const CommentForm = object(
  {
    name: field(1_000, 'The name of the guest.'),
    email: field(1_000, 'Never published.'),
    body: field(65_536, 'Markdown subset.'),
    website2: field(1_000, 'People leave it empty, because they do not see it.'),
    form: field(8_000, 'The stamp of the page.'),
    confirm: field(8_000, 'The stamp of the page that asks to confirm.'),
  },
  { $id: 'CommentForm', examples: [{ name: 'Ada', body: 'First!', form: '…' }] },
)
