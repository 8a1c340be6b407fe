import { type TSchema, Type } from 'typebox'
import { SORTS } from '../../domain/comment/sort.ts'
import { MAX_BODY_CODE_POINTS } from '../../domain/comment/text.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { MAX_CHECKS } from '../../domain/site/check.ts'
import { PERSON_LIMITS, type PersonLimit } from '../../domain/site/site.ts'
import { Check, CheckChange } from '../checks/schemas.ts'
import {
  count,
  flag,
  integerOrNull,
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

const perKind = <T extends TSchema>(schema: T) =>
  Object.fromEntries(PERSON_LIMITS.map((kind) => [kind, schema])) as Record<PersonLimit, T>

export const Limits = openObject(perKind(Type.Optional(count('Requests. 0: unlimited.'))), {
  $id: 'Limits',
  description:
    'Limits per person and minute. A member is one person, and so are all guests of a network. A ' +
    "missing limit is the service's own.",
})

const limitOrNull = integerOrNull("Requests. 0: unlimited. Null: the service's own.", {
  minimum: 0,
  maximum: 1_000_000,
})

export const LimitsChange = object(perKind(Type.Optional(limitOrNull)), {
  $id: 'LimitsChange',
  description: 'Limits per person and minute. Omitted limits do not change.',
})

const issuer = Type.String({
  pattern: '^[!-~]{1,255}$',
  description: 'The `iss` claim of member tokens: the URL of the site.',
})
const maxTokenAge = Type.Integer({
  minimum: 60,
  maximum: 31_536_000,
  description:
    'The longest time from `iat` to `exp` of a member token, in seconds. Default: 30 days.',
})
const kid = Type.String({
  pattern: '^[A-Za-z0-9._-]{1,64}$',
  description: 'Names the secret in the header of a member token.',
})

export const SigningKey = openObject({ kid }, { $id: 'SigningKey' })

export const SigningKeyChange = object(
  {
    kid,
    secret: Type.Optional(
      Type.String({
        pattern: '^[!-~]{32,512}$',
        description: 'Omitted: the stored secret of this `kid` is kept.',
      }),
    ),
  },
  { $id: 'SigningKeyChange' },
)

export const SignOn = Type.Unsafe<object | null>({
  $id: 'SignOn',
  description: 'How members sign on, without the secrets. Null: the site has no members.',
  type: ['object', 'null'],
  additionalProperties: false,
  required: ['issuer', 'max_token_age'],
  properties: {
    issuer,
    max_token_age: maxTokenAge,
    hs256: Type.Array(ref(SigningKey), { description: 'Shared secrets.' }),
    jwks_url: text('URL of the public keys.'),
  },
})

type SignOnBody = { issuer: string; max_token_age?: number } & (
  | { hs256: { kid: string; secret?: string }[] }
  | { jwks_url: string }
)

export const SignOnChange = Type.Unsafe<SignOnBody | null>({
  $id: 'SignOnChange',
  description:
    'Member tokens are verified with shared secrets, or with public keys that the site serves. Null: ' +
    'the site has no members.',
  anyOf: [
    object(
      {
        issuer,
        max_token_age: Type.Optional(maxTokenAge),
        hs256: Type.Array(ref(SigningKeyChange), { minItems: 1, maxItems: 10 }),
      },
      { title: 'Shared secrets' },
    ),
    object(
      {
        issuer,
        max_token_age: Type.Optional(maxTokenAge),
        jwks_url: Type.String({ maxLength: 2048, description: 'https only.' }),
      },
      { title: 'Public keys' },
    ),
    { type: 'null' },
  ],
})

const moderation = oneOf(['post', 'pre'], {
  description:
    '`pre`: every comment is held. `post`: comments are published unless a rule holds them.',
})
const whoMayPost = oneOf(['anyone', 'members', 'nobody'])

const length = (description: string) =>
  Type.Integer({ minimum: 1, maximum: MAX_BODY_CODE_POINTS, description })

const rules = {
  state: oneOf(['open', 'closed'], {
    description: '`closed`: nobody posts, edits, votes or flags. Reading and moderating go on.',
  }),
  who_may_read: oneOf(['anyone', 'members'], {
    description: '`members`: reading needs a member token or an API key, and guests cannot write.',
  }),
  voting: oneOf(['all', 'up', 'off'], { description: '`up`: downvotes are refused.' }),
  email_required: flag('Whether guests must give an e-mail address.'),
  min_body_length: length('The least length of a comment, in code points, but for the staff.'),
  max_body_length: length('The greatest length of a comment, in code points, but for the staff.'),
  language: nullable('string', { maxLength: 100, description: 'A BCP 47 tag, like `en-GB`.' }),
}

export const SiteConfig = openObject(
  {
    site: text('The slug.'),
    name: text('The name.'),
    moderation,
    who_may_post: whoMayPost,
    ...rules,
    login_url: textOrNull('The page where readers sign on.'),
    edit_window_seconds: count('How long authors can edit a comment.'),
    close_after_days: count('Age at which a thread closes. 0: never.'),
    slow_mode_seconds: count(
      'Time between two comments of one person in a thread, unless the thread has its own setting.',
    ),
    max_depth: count('The greatest `depth` of a reply.'),
    max_name_length: count('In code points.'),
    limits: ref(Limits),
    flag_reasons: Type.Array(oneOf(FLAG_REASONS)),
    sorts: Type.Array(oneOf(SORTS)),
    default_sort: oneOf(SORTS),
    version: text('Changes with the settings above.'),
  },
  { $id: 'SiteConfig' },
)

const settings = {
  name: Type.String({ minLength: 1, maxLength: 200, description: 'The name.' }),
  origins: Type.Array(Type.String({ maxLength: 300 }), {
    maxItems: 100,
    description: 'Exact origins that can read and write from a browser, or `*` alone.',
  }),
  reserved_names: Type.Array(Type.String({ maxLength: 320 }), {
    maxItems: 200,
    description: 'Names that guests cannot take, beside those of members.',
  }),
  article_ids: oneOf(['as_sent', 'canonical'], {
    description:
      '`canonical`: of an article id that is an http or https address only the canonical form counts.',
  }),
  moderation,
  who_may_post: whoMayPost,
  ...rules,
  login_url: nullable('string', { description: 'The page where readers sign on.' }),
  edit_window_seconds: Type.Integer({
    minimum: 0,
    maximum: 31_536_000,
    description: 'How long authors can edit a comment.',
  }),
  max_depth: Type.Integer({
    minimum: 0,
    maximum: 400,
    description: 'The greatest `depth` of a reply.',
  }),
  sorts: Type.Array(oneOf(SORTS), {
    minItems: 1,
    maxItems: SORTS.length,
    uniqueItems: true,
    description: 'The sorts that readers can request. The first is the default.',
  }),
  retention_days: Type.Integer({
    minimum: 0,
    maximum: 3650,
    description: 'How long hashed and truncated addresses of writers are kept.',
  }),
  flag_threshold: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    description: 'Number of flags that holds a published comment. 0: never.',
  }),
  close_after_days: Type.Integer({
    minimum: 0,
    maximum: 3650,
    description: 'Age at which a thread closes. 0: never.',
  }),
  slow_mode_seconds: Type.Integer({
    minimum: 0,
    maximum: 86_400,
    description: 'Time between two comments of one person in a thread. 0: no limit.',
  }),
}

export const Site = openObject(
  {
    slug: text('Names the site in paths.'),
    former_slug: textOrNull('The slug before, while it still names the site. Null if none does.'),
    former_slug_until: timeOrNull('Until when `former_slug` names the site.'),
    ...settings,
    limits: ref(Limits),
    sign_on: ref(SignOn),
    checks: Type.Array(ref(Check)),
    version: Type.Integer({ description: 'Grows by one with every change.' }),
    created_at: time('When the site was created.'),
  },
  { $id: 'Site' },
)

const changes = {
  ...Type.Partial(Type.Object(settings)).properties,
  limits: Type.Optional(ref(LimitsChange)),
  sign_on: Type.Optional(ref(SignOnChange)),
  checks: Type.Optional(
    Type.Array(ref(CheckChange), {
      maxItems: MAX_CHECKS,
      description: 'All external checks of the site. An omitted check is removed.',
    }),
  ),
}

export const SiteChange = object(changes, {
  $id: 'SiteChange',
  minProperties: 1,
  examples: [{ moderation: 'pre' }],
})

const slug = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
  description: 'Names the site in paths.',
})

export const SiteRename = object(
  {
    slug,
    keep_days: Type.Integer({
      minimum: 0,
      maximum: 365,
      default: 30,
      description: 'How long the slug before still names the site.',
    }),
  },
  { $id: 'SiteRename', examples: [{ slug: 'magazine', keep_days: 30 }] },
)

export const SiteDeletion = object(
  {
    dry_run: Type.Boolean({ default: false, description: 'Counts what would be deleted.' }),
    confirm: Type.Optional(
      Type.String({
        maxLength: 63,
        description: 'The slug of the site. Needed without `dry_run`.',
      }),
    ),
  },
  { $id: 'SiteDeletion', examples: [{ dry_run: true }] },
)

export const SiteCounts = openObject(
  {
    dry_run: flag('Whether the site still exists.'),
    threads: count('Threads of the site.'),
    comments: count('Comments of any status.'),
    authors: count('Guests and members.'),
    votes: count('Votes.'),
    keys: count('API keys of the site.'),
  },
  { $id: 'SiteCounts' },
)

export const NewSite = object(
  {
    ...changes,
    slug,
    name: settings.name,
  },
  { $id: 'NewSite', examples: [{ slug: 'blog', name: 'My blog' }] },
)

export const SitesPage = openObject(page(ref(Site)), { $id: 'SitesPage' })
