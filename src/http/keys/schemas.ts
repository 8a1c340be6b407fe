import { Type } from 'typebox'
import { SCOPES } from '../../domain/people/caller.ts'
import { AUDIT_ACTIONS } from '../../domain/site/audit.ts'
import {
  nullable,
  object,
  oneOf,
  page,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const keyFields = {
  id: text('Opaque.'),
  name: text('For people.'),
  scope: oneOf(SCOPES, { description: '`admin` includes `moderate` includes `read`.' }),
  site: textOrNull('The slug; null: every site.'),
  created_at: time('When it was made.'),
  expires_at: timeOrNull('Until when it is good.'),
  revoked_at: timeOrNull('Since when it is good for nothing.'),
  last_used_at: timeOrNull('At most a minute too early.'),
}

export const Key = object(keyFields, { $id: 'Key' })

export const CreatedKey = object(
  { ...keyFields, key: text('Send it as `Bearer`. It is shown only now.') },
  { $id: 'MadeKey' },
)

const newKey = {
  name: Type.String({ minLength: 1, maxLength: 200, description: 'What it is for.' }),
  scope: oneOf(SCOPES),
  expires_at: Type.Optional(
    nullable('string', { format: 'date-time', description: 'In the future.' }),
  ),
}

export const NewKey = object(newKey, {
  $id: 'NewKey',
  examples: [{ name: 'moderation desk', scope: 'moderate' }],
})

export const NewServiceKey = object(
  {
    ...newKey,
    site: Type.Optional(nullable('string', { description: 'A slug; null: every site.' })),
  },
  { $id: 'NewServiceKey', examples: [{ name: 'newsletter', scope: 'read', site: 'default' }] },
)

export const Rotation = object(
  {
    overlap_seconds: Type.Integer({
      minimum: 0,
      maximum: 2_592_000,
      default: 86_400,
      description: 'How long the old key is good beside the new one.',
    }),
  },
  { $id: 'Rotation', examples: [{ overlap_seconds: 3600 }] },
)

export const KeysPage = object(page(ref(Key)), { $id: 'KeysPage' })

const changed = (description: string) =>
  Type.Unsafe<object | null>({ type: ['object', 'null'], additionalProperties: true, description })

export const AuditEntry = object(
  {
    id: text('Opaque.'),
    site: textOrNull('The slug; null: the whole service.'),
    action: oneOf(AUDIT_ACTIONS),
    subject: text('What was changed: a slug, or the id of a key, an author or a canned reason.'),
    by: text('Id of the key or member; `operator` for the command line.'),
    at: time('When.'),
    before: changed('What has changed, as it was.'),
    after: changed('And as it is.'),
  },
  { $id: 'AuditEntry' },
)

export const AuditPage = object(page(ref(AuditEntry)), { $id: 'AuditPage' })
