import { Type } from 'typebox'
import { MAX_CLAIM_SECONDS } from '../../domain/moderation/decision.ts'
import { CommentFilter, ModeratedComment } from '../queue/schemas.ts'
import { cursorOrNull, object, oneOf, openObject, ref, timeOrNull } from '../wire/schema-parts.ts'

export const NewClaims = object(
  {
    comment_ids: Type.Optional(
      Type.Array(Type.String({ maxLength: 40 }), {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
        description:
          'The comments to claim, or to claim for longer. Send either this or the other fields.',
      }),
    ),
    filter: Type.Optional(ref(CommentFilter)),
    sort: Type.Optional(
      oneOf(['oldest', 'newest', 'flags', 'risk'], {
        description: 'The order of the queue. Omitted: `oldest`.',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        description: 'How many comments to claim. Omitted: 20.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        maxLength: 300,
        description: '`next_cursor` of the call before, with the same filter and sort.',
      }),
    ),
    seconds: Type.Optional(
      Type.Integer({
        minimum: 10,
        maximum: MAX_CLAIM_SECONDS,
        description: 'How long the claim lasts. Omitted: 600.',
      }),
    ),
  },
  { $id: 'NewClaims', examples: [{ limit: 10 }] },
)

export const Claims = openObject(
  {
    items: Type.Array(ref(ModeratedComment), { description: 'The claimed comments.' }),
    claimed_until: timeOrNull('When the claims end. Null if nothing was claimed.'),
    next_cursor: cursorOrNull(
      'Where the search stopped. Null if it found `limit` comments or reached the end of the queue.',
    ),
  },
  { $id: 'Claims' },
)
