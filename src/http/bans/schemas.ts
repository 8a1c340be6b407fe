import { Type } from 'typebox'
import { REASONS, type Reason } from '../../domain/comment/status.ts'
import { BAN_EFFECTS, BAN_KINDS, EXISTING_COMMENT_ACTIONS } from '../../domain/moderation/ban.ts'
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

const kind = oneOf(BAN_KINDS, { description: 'What `value` is.' })
const effect = oneOf(BAN_EFFECTS, {
  description:
    '`block`: posts, edits, votes, flags and new guests are refused with `banned`. `hold`: posts and edits ' +
    'go to the queue. `shadow`: they are shown to their author alone.',
})

export const NewBan = object(
  {
    kind,
    value: Type.String({
      minLength: 1,
      maxLength: 300,
      description:
        'The id of an author; an address or a network, IPv4 to /8 and IPv6 to /19 (an IPv6 address alone is ' +
        'its /64); an e-mail; a domain of e-mail, with all below it.',
    }),
    effect,
    reason: Type.Optional(
      Type.Unsafe<Reason | null>({ type: ['string', 'null'], enum: [...REASONS, null] }),
    ),
    note: Type.Optional(nullable('string', { maxLength: 2000, description: 'For moderators.' })),
    expires_at: Type.Optional(
      nullable('string', { format: 'date-time', description: 'Null: until it is lifted.' }),
    ),
    existing: Type.Optional(
      oneOf(EXISTING_COMMENT_ACTIONS, {
        default: 'keep',
        description:
          'What becomes of what those whom it meets have written on the site. `pending` takes what is ' +
          'published, `spam` and `rejected` also what waits, `deleted` all. Not with bans from all sites.',
      }),
    ),
  },
  { $id: 'NewBan', examples: [{ kind: 'author', value: 'a1', effect: 'hold', reason: 'abusive' }] },
)

const banFields = {
  id: text('Opaque.'),
  kind,
  value: textOrNull(
    'Whom it is on; of an e-mail only `…@` and its domain; null once an address is forgotten.',
  ),
  effect,
  reason: textOrNull('Why.'),
  note: textOrNull('For moderators.'),
  by: text('Id of the key or member.'),
  at: time('When it was made.'),
  expires_at: timeOrNull('When it ends by itself.'),
  lifted_by: textOrNull('Id of the key or member who lifted it.'),
  lifted_at: timeOrNull('When it was lifted.'),
  in_force: Type.Boolean({ description: 'Neither lifted nor over.' }),
}

export const Ban = object(banFields, { $id: 'Ban' })

export const CreatedBan = object(
  {
    ...banFields,
    batch_id: textOrNull(
      'The batch that gives `existing` comments their status, for `getBatch` and `undoBatch`; null: they are kept.',
    ),
  },
  { $id: 'MadeBan' },
)

export const BansPage = object(page(ref(Ban)), { $id: 'BansPage' })
