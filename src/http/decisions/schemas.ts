import { Type } from 'typebox'
import { STATUSES } from '../../domain/comment/status.ts'
import { DECISION_ACTIONS, MAX_SYNC_DECISIONS } from '../../domain/moderation/decision.ts'
import { CommentFilter } from '../queue/schemas.ts'
import {
  count,
  explanation,
  flag,
  integerOrNull,
  object,
  oneOf,
  oneOrNull,
  openObject,
  page,
  ref,
  text,
  textOrNull,
  time,
} from '../wire/schema-parts.ts'

export const revision = Type.Integer({
  minimum: 1,
  description: 'The `revision` of the text that the moderator saw. Required to publish.',
})

export const NewDecisions = object(
  {
    comments: Type.Optional(
      Type.Array(
        object({
          id: Type.String({ maxLength: 40 }),
          from: Type.Optional(oneOf(STATUSES)),
          revision: Type.Optional(revision),
        }),
        {
          minItems: 1,
          maxItems: MAX_SYNC_DECISIONS,
          description:
            'The comments, as the moderator saw them. Send either this or `filter`. `from` omitted: ' +
            'any status.',
        },
      ),
    ),
    filter: Type.Optional(ref(CommentFilter)),
    as_of: Type.Optional(
      Type.String({
        maxLength: 6_000,
        description:
          'From `listQueue` or a dry run: comments that arrived or changed after it are ' +
          '`changed_since`. Required with `filter` to publish.',
      }),
    ),
    expected_count: Type.Optional(
      Type.Integer({
        minimum: 0,
        description:
          'How many comments match the filter. Required with `filter`, except with `as_of` or in a dry run.',
      }),
    ),
    to: oneOf(STATUSES, { description: 'The new status.' }),
    ...explanation,
    replies: Type.Optional(
      oneOf(['keep', 'same'], {
        description: '`same`: replies that have the same status change too. Omitted: `keep`.',
      }),
    ),
    dry_run: Type.Optional(flag('Return the outcomes and change nothing.')),
  },
  {
    $id: 'NewDecisions',
    examples: [{ filter: { status: ['pending'] }, expected_count: 12, to: 'rejected' }],
  },
)

export const NewDecision = object(
  {
    from: oneOf(STATUSES, { description: 'The status that the moderator saw.' }),
    revision: Type.Optional(revision),
    to: oneOf(STATUSES, { description: 'The new status.' }),
    ...explanation,
    replies: Type.Optional(
      oneOf(['keep', 'same'], {
        description: '`same`: replies that have the same status change too. Omitted: `keep`.',
      }),
    ),
  },
  { $id: 'NewDecision', examples: [{ from: 'pending', to: 'approved', revision: 1 }] },
)

const changed = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description,
  })

export const Decision = openObject(
  {
    id: text('Id of the decision.'),
    action: oneOf(DECISION_ACTIONS, { description: 'The kind of change.' }),
    comment_id: textOrNull('The comment. Null if the decision is not about one.'),
    author_id: textOrNull('The author of the comment, or the one that the decision is on.'),
    subject: textOrNull(
      'The article, author or ban, if the decision is about one. `unknown` if a newer version made the decision.',
    ),
    from: oneOrNull(STATUSES, 'The status before. Null if it did not change.'),
    to: oneOrNull(STATUSES, 'The status after. Null if it did not change.'),
    before: changed('Other changed fields before.'),
    after: changed('Other changed fields after.'),
    reason: textOrNull('Reason.'),
    note: textOrNull('For moderators.'),
    by: text('Id of the API key or member; `rules`; or `flags` if flags of readers decided.'),
    asked_by: textOrNull('Who started the batch, if rules judged the comment again.'),
    at: time('When the decision was made.'),
    caused_by: textOrNull('The decision that caused this one: on an ancestor, or on an appeal.'),
    batch_id: textOrNull('The batch that the decision belongs to.'),
    undoes: textOrNull('The decision that this one undoes.'),
    undone_by: textOrNull('The decision that undid this one.'),
    policy_version: integerOrNull(
      'The version of the policy at that time. Null if the service had no policies yet.',
    ),
    restored: Type.Optional(
      openObject(
        { comments: count('Comments.'), settings: count('Settings of a thread or a ban.') },
        { description: 'How much an undo restored: only in its response.' },
      ),
    ),
  },
  { $id: 'Decision' },
)

export const DecisionsPage = openObject(page(ref(Decision)), { $id: 'DecisionsPage' })
