import { Type } from 'typebox'
import { STATUSES } from '../../domain/comment/status.ts'
import { DECISION_ACTIONS } from '../../domain/moderation/decision.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { ArticleLink, commentWith } from '../comments/schemas.ts'
import { Facts, Trace } from '../policies/judging-schemas.ts'
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
  refOrNull,
  text,
  textOrNull,
  time,
} from '../wire/schema-parts.ts'

export const NewDecision = object(
  {
    from: oneOf(STATUSES, { description: 'The status that the moderator saw.' }),
    to: oneOf(STATUSES, { description: 'The new status.' }),
    ...explanation,
    replies: Type.Optional(
      oneOf(['keep', 'same'], {
        description: '`same`: replies that have the same status change too. Omitted: `keep`.',
      }),
    ),
  },
  { $id: 'NewDecision', examples: [{ from: 'pending', to: 'approved' }] },
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
    action: oneOf(DECISION_ACTIONS, { description: 'What was changed.' }),
    comment_id: textOrNull('The comment. Null if the decision is not about one.'),
    subject: textOrNull('The article, author or ban, if the decision is about one.'),
    from: oneOrNull(STATUSES, 'The status before. Null if it did not change.'),
    to: oneOrNull(STATUSES, 'The status after. Null if it did not change.'),
    before: changed('Other changed fields before.'),
    after: changed('Other changed fields after.'),
    reason: textOrNull('Reason.'),
    note: textOrNull('For moderators.'),
    by: text('Id of the API key or member; `rules`; or `flags` if flags of readers decided.'),
    at: time('When the decision was made.'),
    caused_by: textOrNull('The decision that caused this one: on an ancestor, or on an appeal.'),
    batch_id: textOrNull('The batch that the decision belongs to.'),
    undoes: textOrNull('The decision that this one undoes.'),
    undone_by: textOrNull('The decision that undid this one.'),
    policy_version: integerOrNull(
      'The version of the policy at that time. Null if the service had no policies yet.',
    ),
  },
  { $id: 'Decision' },
)

export const DecisionsPage = openObject(page(ref(Decision)), { $id: 'DecisionsPage' })

export const ModeratedComment = commentWith('ModeratedComment', {
  article: ref(ArticleLink),
  shadowed: flag('Whether a ban shows the comment to its author only.'),
  email: textOrNull("The author's e-mail address."),
  network: textOrNull('Truncated network of the sender. Null after the retention time.'),
  trace: ref(Trace),
  risk: count('How risky the comment is, 0 to 100.'),
  policy_version: integerOrNull(
    'The version of the policy that judged the comment. Null if the service had no policies yet.',
  ),
  facts: refOrNull(Facts, 'Null if they were not stored, or were erased.'),
  claim: Type.Unsafe<{ by: string; until: string } | null>({
    type: ['object', 'null'],
    additionalProperties: false,
    required: ['by', 'until'],
    properties: {
      by: text('Id of the API key or member that reserved the comment.'),
      until: time('When the claim ends, unless it is released or the comment is decided before.'),
    },
    description: 'Null if the comment is not claimed.',
  }),
  flag_count: count('Unresolved flags.'),
  flags: Type.Array(
    openObject({
      reason: oneOf(FLAG_REASONS),
      note: textOrNull("The reader's explanation."),
      by: text('Id of the author who flagged the comment.'),
      flagged_at: time('When the comment was flagged.'),
      resolved: flag('Whether a moderator has decided since.'),
    }),
    { description: 'The latest twenty flags.' },
  ),
})

export const QueuePage = openObject(page(ref(ModeratedComment)), { $id: 'QueuePage' })

export const QueueCounts = openObject(
  Object.fromEntries(STATUSES.map((status) => [status, count(`Comments: \`${status}\`.`)])),
  { $id: 'QueueCounts' },
)

export const RevisionsPage = openObject(
  page(
    openObject({
      revision: Type.Integer({ minimum: 1, description: 'Number of the revision.' }),
      body: text('The Markdown source.'),
      body_html: text('Rendered and sanitised.'),
      replaced_at: time('When an edit replaced the text.'),
      replaced_by: text('Id of the author or API key that edited it.'),
    }),
  ),
  { $id: 'RevisionsPage' },
)
