import { Type } from 'typebox'
import { BAN_EFFECTS, BAN_KINDS, EXISTING_COMMENT_ACTIONS } from '../../domain/moderation/ban.ts'
import {
  by,
  explanation,
  flag,
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

const kind = oneOf(BAN_KINDS, { description: 'The kind of `value`.' })
const effect = oneOf(BAN_EFFECTS, {
  description:
    '`block`: posts, edits, votes, flags and new guests are refused with `banned`. `hold`: posts and edits ' +
    'are held for a moderator. `shadow`: posts and edits are visible to their author only.',
})

const expiresAt = Type.Optional(
  nullable('string', { format: 'date-time', description: 'Null: the ban does not expire.' }),
)

export const NewBan = object(
  {
    kind,
    value: Type.String({
      minLength: 1,
      maxLength: 300,
      description:
        'The id of an author; an address or network, up to IPv4 /8 and IPv6 /19 (a single IPv6 address ' +
        'stands for its /64); an e-mail address; or an e-mail domain with its subdomains.',
    }),
    effect,
    ...explanation,
    expires_at: expiresAt,
    existing_comments: Type.Optional(
      oneOf(EXISTING_COMMENT_ACTIONS, {
        default: 'keep',
        description:
          'New status of comments that the banned writer has posted on this site. `pending` changes ' +
          'published comments, `spam` and `rejected` also held ones, `deleted` all. Bans on all sites ' +
          'accept `keep` only.',
      }),
    ),
  },
  { $id: 'NewBan', examples: [{ kind: 'author', value: 'a1', effect: 'hold', reason: 'abusive' }] },
)

export const BanChange = object(
  { effect: Type.Optional(effect), ...explanation, expires_at: expiresAt },
  { $id: 'BanChange', minProperties: 1, examples: [{ expires_at: null }] },
)

const banFields = {
  id: text('Id of the ban.'),
  kind,
  value: textOrNull(
    'The ban subject. An e-mail address is shown as `…@` and its domain. Null once the retention time ' +
      'of an address is over.',
  ),
  effect,
  reason: textOrNull('Reason.'),
  note: textOrNull('For moderators.'),
  by,
  at: time('When the ban was created.'),
  expires_at: timeOrNull('When the ban expires. Null: never.'),
  lifted_by: textOrNull('Id of the API key or member. Null if the ban was not lifted.'),
  lifted_at: timeOrNull('When the ban was lifted.'),
  in_force: flag('Whether the ban is neither lifted nor expired.'),
}

export const Ban = openObject(banFields, { $id: 'Ban' })

export const CreatedBan = openObject(
  {
    ...banFields,
    batch_id: textOrNull('The batch that changes existing comments. Null if they are kept.'),
  },
  { $id: 'CreatedBan' },
)

export const BansPage = openObject(page(ref(Ban)), { $id: 'BansPage' })
