import { type TSchema, Type } from 'typebox'
import { SORTS } from '../../domain/comment/sort.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { MAX_CHECKS } from '../../domain/site/check.ts'
import { PERSON_LIMITS, type PersonLimit } from '../../domain/site/site.ts'
import { Check, CheckChange } from '../checks/schemas.ts'
import {
  count,
  nullable,
  object,
  oneOf,
  page,
  ref,
  text,
  textOrNull,
  time,
} from '../wire/schema-parts.ts'

const limits = <T extends TSchema>(schema: T) =>
  Object.fromEntries(PERSON_LIMITS.map((kind) => [kind, schema])) as Record<PersonLimit, T>

export const SiteConfig = object(
  {
    site: text('The slug.'),
    name: text('The name.'),
    moderation: oneOf(['post', 'pre']),
    who_may_post: oneOf(['anyone', 'members', 'nobody']),
    login_url: textOrNull('Where readers log in.'),
    edit_window_seconds: count('How long authors may edit.'),
    close_after_days: count('So many days after it began a thread closes; 0: never.'),
    slow_mode_seconds: count(
      'Between two comments of one person in a thread, where it says nothing else.',
    ),
    max_depth: count('The deepest reply that is accepted.'),
    max_body_length: count('In code points.'),
    max_name_length: count('In code points.'),
    limits: object(limits(count('Per person and minute; 0: no limit.')), {
      description: 'A member is a person, and so is a network with all its guests.',
    }),
    flag_reasons: Type.Array(oneOf(FLAG_REASONS)),
    sorts: Type.Array(oneOf(SORTS)),
    default_sort: oneOf(SORTS),
  },
  { $id: 'SiteConfig' },
)

const issuer = Type.String({
  pattern: '^[!-~]{1,255}$',
  description: 'What tokens call `iss`: the address of the site.',
})
const kid = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,64}$',
  description: 'Names the secret in the head of a token.',
})

export const SignOn = Type.Unsafe<object | null>({
  $id: 'SignOn',
  description: 'How members sign on; without the secrets. Null: there are no members.',
  type: ['object', 'null'],
  additionalProperties: false,
  required: ['issuer'],
  properties: {
    issuer,
    hs256: { type: 'array', items: object({ kid }) },
    jwks_url: text('Where the public keys are.'),
  },
})

const settings = {
  name: Type.String({ minLength: 1, maxLength: 200, description: 'For people.' }),
  origins: Type.Array(Type.String({ maxLength: 300 }), {
    maxItems: 100,
    description: 'Exact origins that may read and write, or `*`.',
  }),
  moderation: oneOf(['post', 'pre']),
  who_may_post: oneOf(['anyone', 'members', 'nobody']),
  login_url: nullable('string', { description: 'Where readers log in.' }),
  edit_window_seconds: Type.Integer({
    minimum: 0,
    maximum: 31_536_000,
    description: 'How long authors may edit.',
  }),
  max_depth: Type.Integer({
    minimum: 0,
    maximum: 400,
    description: 'The deepest reply that is accepted.',
  }),
  sorts: Type.Array(oneOf(SORTS), {
    minItems: 1,
    maxItems: SORTS.length,
    uniqueItems: true,
    description: 'The orders that readers may ask for; the first is what they get unasked.',
  }),
  retention_days: Type.Integer({
    minimum: 0,
    maximum: 3650,
    description: 'How long addresses of writers are kept, hashed and truncated.',
  }),
  flag_threshold: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    description: 'So many flags send a comment back to the queue; 0: never.',
  }),
  close_after_days: Type.Integer({
    minimum: 0,
    maximum: 3650,
    description: 'So many days after it began a thread closes; 0: never.',
  }),
  slow_mode_seconds: Type.Integer({
    minimum: 0,
    maximum: 86_400,
    description: 'One comment of each person in so many seconds and one thread; 0: no limit.',
  }),
}

export const Site = object(
  {
    slug: text('Names the site in addresses.'),
    ...settings,
    limits: object(limits(Type.Optional(count('Per person and minute; 0: no limit.'))), {
      description: 'What is missing is as the service says.',
    }),
    sign_on: ref(SignOn),
    checks: Type.Array(ref(Check)),
    version: Type.Integer({ description: 'One more with every change.' }),
    created_at: time('When it was made.'),
  },
  { $id: 'Site' },
)

const limitOrNull = Type.Optional(
  Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    minimum: 0,
    maximum: 1_000_000,
    description: 'Per person and minute; 0: no limit; null: as the service says.',
  }),
)

type SignOnBody =
  | { issuer: string; hs256: { kid: string; secret?: string }[] }
  | { issuer: string; jwks_url: string }

export const SignOnChange = Type.Unsafe<SignOnBody | null>({
  $id: 'SignOnChange',
  description: 'With secrets that we share, or with public keys that you serve. Null: no members.',
  anyOf: [
    object({
      issuer,
      hs256: Type.Array(
        object({
          kid,
          secret: Type.Optional(
            Type.String({
              pattern: '^[!-~]{32,512}$',
              description: 'Left out: the secret that is known under this kid stays.',
            }),
          ),
        }),
        { minItems: 1, maxItems: 10 },
      ),
    }),
    object({ issuer, jwks_url: Type.String({ maxLength: 2048, description: 'https only.' }) }),
    { type: 'null' },
  ],
})

const changes = {
  ...Type.Partial(Type.Object(settings)).properties,
  limits: Type.Optional(object(limits(limitOrNull))),
  sign_on: Type.Optional(ref(SignOnChange)),
  checks: Type.Optional(
    Type.Array(ref(CheckChange), {
      maxItems: MAX_CHECKS,
      description: 'All of them: one that is left out is asked no more.',
    }),
  ),
}

export const SiteChange = object(changes, {
  $id: 'SiteChange',
  minProperties: 1,
  examples: [{ moderation: 'pre' }],
})

export const NewSite = object(
  {
    ...changes,
    slug: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
      description: 'Names the site in addresses, for ever.',
    }),
    name: settings.name,
  },
  { $id: 'NewSite', examples: [{ slug: 'blog', name: 'My blog' }] },
)

export const SitesPage = object(page(ref(Site)), { $id: 'SitesPage' })
