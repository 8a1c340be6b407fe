import { Type } from 'typebox'
import { SORTS } from '../../../domain/sort.ts'
import { count, nullable, object, oneOf, text, textOrNull, time } from './building.ts'

export const SiteConfig = object(
  {
    site: text('The slug.'),
    name: text('The name.'),
    moderation: oneOf(['post', 'pre']),
    who_may_post: oneOf(['anyone', 'members', 'nobody']),
    login_url: textOrNull('Where readers log in.'),
    edit_window_seconds: count('How long authors may edit.'),
    max_depth: count('The deepest reply that is accepted.'),
    max_body_length: count('In code points.'),
    max_name_length: count('In code points.'),
    sorts: Type.Array(oneOf(SORTS)),
    default_sort: oneOf(SORTS),
  },
  { $id: 'SiteConfig' },
)

export const Site = object(
  {
    slug: text('Names the site in addresses.'),
    name: text('For people.'),
    origins: Type.Array(Type.String(), {
      description: 'Exact origins that may read and write, or `*`.',
    }),
    moderation: oneOf(['post', 'pre']),
    who_may_post: oneOf(['anyone', 'members', 'nobody']),
    login_url: textOrNull('Where readers log in.'),
    edit_window_seconds: count('How long authors may edit.'),
    max_depth: count('The deepest reply that is accepted.'),
    version: Type.Integer({ description: 'One more with every change.' }),
    created_at: time('When it was made.'),
  },
  { $id: 'Site' },
)

export const SiteChange = object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    origins: Type.Optional(Type.Array(Type.String({ maxLength: 300 }), { maxItems: 100 })),
    moderation: Type.Optional(oneOf(['post', 'pre'])),
    who_may_post: Type.Optional(oneOf(['anyone', 'members', 'nobody'])),
    login_url: Type.Optional(nullable('string')),
    edit_window_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 31_536_000 })),
    max_depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 400 })),
  },
  { $id: 'SiteChange', minProperties: 1, examples: [{ moderation: 'pre' }] },
)
