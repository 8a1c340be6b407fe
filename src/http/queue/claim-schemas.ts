import { Type } from 'typebox'
import { CommentFilter } from '../decisions/schemas.ts'
import { object, oneOf, ref, timeOrNull } from '../wire/schema-parts.ts'
import { ModeratedComment } from './schemas.ts'

export const NewClaims = object(
  {
    comment_ids: Type.Optional(
      Type.Array(Type.String({ maxLength: 40 }), {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
        description: 'Either these, to have them, or to have them longer;',
      }),
    ),
    filter: Type.Optional(ref(CommentFilter)),
    sort: Type.Optional(
      oneOf(['oldest', 'newest', 'flags', 'risk'], {
        description: 'The order of the queue. Unset: `oldest`.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'How many of the queue. Unset: 20.' }),
    ),
    seconds: Type.Optional(
      Type.Integer({ minimum: 10, maximum: 3600, description: 'For so long. Unset: 600.' }),
    ),
  },
  { $id: 'NewClaims', examples: [{ limit: 10 }] },
)

export const Claims = object(
  {
    items: Type.Array(ref(ModeratedComment), { description: 'What the caller has now.' }),
    claimed_until: timeOrNull('Until when; null when there was nothing to have.'),
  },
  { $id: 'Claims' },
)
