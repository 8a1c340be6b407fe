import { Type } from 'typebox'
import { DEFAULT_POLICY } from '../../domain/screening/default-policy.ts'
import { type Policy, PolicySchema } from '../../domain/screening/policy.ts'
import {
  count,
  nullable,
  object,
  openObject,
  page,
  ref,
  textOrNull,
  timeOrNull,
} from '../wire/schema-parts.ts'

/** The default policy with a word of each list. */
export const EXAMPLE_POLICY: Policy = {
  rules: {
    ...DEFAULT_POLICY.rules,
    words: { mode: 'enforce', pending: ['my channel'], spam: ['casino bonus*'], rejected: [] },
    disposable_email: {
      ...DEFAULT_POLICY.rules.disposable_email,
      domains: DEFAULT_POLICY.rules.disposable_email.domains.slice(0, 1),
    },
  },
}

const versionFields = {
  version: count('0 is the default policy.'),
  note: textOrNull('Why the version was created.'),
  by: textOrNull('Id of the API key or member. Null for version 0.'),
  at: timeOrNull('When the version was created. Null for version 0.'),
}

export const VersionedPolicy = openObject(
  { ...versionFields, policy: ref(PolicySchema) },
  { $id: 'VersionedPolicy' },
)

const note = Type.Optional(
  nullable('string', { maxLength: 500, description: 'Why the version is created.' }),
)

export const NewPolicy = object(
  { policy: ref(PolicySchema), note },
  { $id: 'NewPolicy', examples: [{ policy: EXAMPLE_POLICY, note: 'hold links to casinos' }] },
)

export const RestoreRequest = object(
  { note },
  { $id: 'RestoreRequest', examples: [{ note: 'it held too much' }] },
)

export const PoliciesPage = openObject(page(openObject(versionFields)), { $id: 'PoliciesPage' })
