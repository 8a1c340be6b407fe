import { Type } from 'typebox'
import { SCOPES } from '../../domain/people/caller.ts'
import {
  nullable,
  object,
  oneOf,
  openObject,
  page,
  ref,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const scope = oneOf(SCOPES, { description: '`admin` includes `moderate`, which includes `read`.' })

const keyFields = {
  id: text('Id of the key. It is not the secret.'),
  name: text('The purpose of the key.'),
  scope,
  site: textOrNull('Slug of the site. Null: all sites.'),
  created_at: time('When the key was created.'),
  expires_at: timeOrNull('When the key expires. Null: never.'),
  revoked_at: timeOrNull('When the key was revoked. Null if it was not.'),
  last_used_at: timeOrNull('When the key was last used; up to a minute late.'),
}

export const Key = openObject(keyFields, { $id: 'Key' })

export const CreatedKey = openObject(
  { ...keyFields, key: text('The secret. Send it as `Bearer`. It is returned only once.') },
  { $id: 'CreatedKey' },
)

const newKey = {
  name: Type.String({ minLength: 1, maxLength: 200, description: 'The purpose of the key.' }),
  scope,
  expires_at: Type.Optional(
    nullable('string', {
      format: 'date-time',
      description: 'A time in the future. Null or omitted: the key does not expire.',
    }),
  ),
}

export const NewKey = object(newKey, {
  $id: 'NewKey',
  examples: [{ name: 'moderation desk', scope: 'moderate' }],
})

export const KeyChange = object(
  { name: newKey.name },
  { $id: 'KeyChange', examples: [{ name: 'front desk' }] },
)

export const NewServiceKey = object(
  {
    ...newKey,
    site: Type.Optional(
      nullable('string', { description: 'Slug of the site. Null or omitted: all sites.' }),
    ),
  },
  { $id: 'NewServiceKey', examples: [{ name: 'newsletter', scope: 'read', site: 'default' }] },
)

export const RotateRequest = object(
  {
    overlap_seconds: Type.Integer({
      minimum: 0,
      maximum: 2_592_000,
      default: 86_400,
      description: 'How long the old key remains valid.',
    }),
  },
  { $id: 'RotateRequest', examples: [{ overlap_seconds: 3600 }] },
)

export const KeysPage = openObject(page(ref(Key)), { $id: 'KeysPage' })
