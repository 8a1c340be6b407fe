import { Type } from 'typebox'
import { REASONS, type Reason, STATUSES, type Status } from '../../domain/comment/status.ts'
import { DECISION_ACTIONS } from '../../domain/moderation/decision.ts'
import { FLAG_REASONS } from '../../domain/moderation/flag.ts'
import { ArticleLink, commentFields } from '../comments/schemas.ts'
import { factsOrNull, trace } from '../policies/judging-schemas.ts'
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

const statusOrNull = (description: string) =>
  Type.Unsafe<Status | null>({ type: ['string', 'null'], enum: [...STATUSES, null], description })

const difference = (description: string) =>
  Type.Unsafe<Record<string, unknown> | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description,
  })

export const Decision = object(
  {
    id: text('Opaque.'),
    action: oneOf(DECISION_ACTIONS, { description: 'What was done.' }),
    comment_id: textOrNull('The comment, if it is about one.'),
    subject: textOrNull('The article, author or ban that it is about, if not a comment.'),
    from: statusOrNull('The status before, where that has changed.'),
    to: statusOrNull('And after.'),
    before: difference('Whatever else has changed, as it was.'),
    after: difference('And as it is.'),
    reason: textOrNull('Why.'),
    note: textOrNull('For moderators.'),
    by: text('Id of the key or member; `rules`, or `flags` of readers together.'),
    at: time('When.'),
    caused_by: textOrNull(
      'The decision that this one followed from: on an ancestor, or on an appeal.',
    ),
    batch_id: textOrNull('The batch that it is part of.'),
    undoes: textOrNull('The decision that it takes back.'),
    undone_by: textOrNull('The decision that took it back.'),
    policy_version: Type.Unsafe<number | null>({
      type: ['integer', 'null'],
      description: 'The policy in force at that time; null: there were none yet.',
    }),
  },
  { $id: 'Decision' },
)

export const DecisionsPage = object(page(ref(Decision)), { $id: 'DecisionsPage' })

export const ModeratedComment = object(
  {
    ...commentFields,
    article: ref(ArticleLink),
    shadowed: Type.Boolean({
      description: 'Its author sees it as published; nobody else sees it.',
    }),
    email: textOrNull('What the guest gave.'),
    network: textOrNull('Truncated.'),
    trace,
    risk: count('How much speaks against it, 0 to 100.'),
    policy_version: Type.Unsafe<number | null>({
      type: ['integer', 'null'],
      description: 'The policy that it was judged by; null: before there were any.',
    }),
    facts: factsOrNull,
    claim: Type.Unsafe<{ by: string; until: string } | null>({
      type: ['object', 'null'],
      additionalProperties: false,
      required: ['by', 'until'],
      properties: {
        by: text('Id of the key or member who has it to itself.'),
        until: time('Until then, if it is not decided on or given back before.'),
      },
      description: 'Null: it is free.',
    }),
    flag_count: count('Flags that no moderator has decided on.'),
    flags: Type.Array(
      object({
        reason: oneOf(FLAG_REASONS),
        note: textOrNull('What the reader wrote.'),
        by: text('Id of the author who flagged it.'),
        flagged_at: time('When.'),
        resolved: Type.Boolean({ description: 'A moderator has decided since.' }),
      }),
      { description: 'The newest twenty.' },
    ),
  },
  { $id: 'ModeratedComment' },
)

export const QueuePage = object(page(ref(ModeratedComment)), { $id: 'QueuePage' })

export const QueueCounts = object(
  Object.fromEntries(STATUSES.map((status) => [status, count(`Comments that are ${status}.`)])),
  { $id: 'QueueCounts' },
)

export const RevisionsPage = object(
  page(
    object({
      revision: Type.Integer({ minimum: 1, description: 'Which one it was.' }),
      body: text('The Markdown source.'),
      body_html: text('Rendered and sanitised.'),
      replaced_at: time('Until when it stood.'),
      replaced_by: text('Id of the author or key who edited it.'),
    }),
  ),
  { $id: 'RevisionsPage' },
)
