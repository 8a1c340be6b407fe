import { Type } from 'typebox'
import { REASONS, type Reason, STATUSES } from '../../../domain/status.ts'
import { count, nullable, object, oneOf, page, ref, text, textOrNull, time } from './building.ts'
import { ArticleLink, commentFields } from './comments.ts'

export const NewDecision = object(
  {
    from: oneOf(STATUSES, { description: 'The status that the moderator saw.' }),
    to: oneOf(STATUSES),
    reason: Type.Optional(
      Type.Unsafe<Reason | null>({
        type: ['string', 'null'],
        enum: [...REASONS, null],
      }),
    ),
    note: Type.Optional(nullable('string', { maxLength: 2000 })),
    replies: Type.Optional(
      oneOf(['keep', 'same'], { description: '`same`: replies with the same status go along.' }),
    ),
  },
  { $id: 'NewDecision', examples: [{ from: 'pending', to: 'approved' }] },
)

export const Decision = object(
  {
    id: text('Opaque.'),
    comment_id: text('The comment.'),
    from: oneOf(STATUSES),
    to: oneOf(STATUSES),
    reason: textOrNull('Why.'),
    note: textOrNull('For moderators.'),
    by: text('Id of the key or member.'),
    at: time('When.'),
    caused_by: textOrNull('The decision on an ancestor that took this comment along.'),
  },
  { $id: 'Decision' },
)

export const DecisionsPage = object(page(ref(Decision)), { $id: 'DecisionsPage' })

export const ModeratedComment = object(
  {
    ...commentFields,
    article: ref(ArticleLink),
    email: textOrNull('What the guest gave.'),
    network: textOrNull('Truncated.'),
    trace: Type.Array(
      object({ rule: text('Name.'), says: text('Its opinion.'), evidence: text('Why.') }),
      {
        description: 'What the screening rules said.',
      },
    ),
  },
  { $id: 'ModeratedComment' },
)

export const QueuePage = object(page(ref(ModeratedComment)), { $id: 'QueuePage' })

export const QueueCounts = object(
  Object.fromEntries(STATUSES.map((status) => [status, count(`Comments that are ${status}.`)])),
  { $id: 'QueueCounts' },
)
