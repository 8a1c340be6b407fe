import { Type } from 'typebox'
import { REASONS, type Reason, STATUSES, type Status } from '../../domain/comment/status.ts'
import { BATCH_KINDS, MAX_SYNC_DECISIONS, OUTCOMES } from '../../domain/moderation/decision.ts'
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
  timeOrNull,
} from '../wire/schema-parts.ts'

const Outcomes = object(
  Object.fromEntries(
    OUTCOMES.map((outcome) => [outcome, count(`Of how many it is \`${outcome}\`.`)]),
  ),
  { description: 'How many comments had which outcome so far.' },
)

export const Batch = object(
  {
    id: text('Opaque.'),
    kind: oneOf(BATCH_KINDS, { description: 'What is done to each of its comments.' }),
    to: Type.Unsafe<Status | null>({
      type: ['string', 'null'],
      enum: [...STATUSES, null],
      description: 'The status that they get, where they all get the same.',
    }),
    undoes: textOrNull('The batch that it takes back.'),
    by: text('Id of the key or member.'),
    at: time('When it was asked for.'),
    total: count('Its comments.'),
    done: count('Those that have an outcome, changed or not.'),
    changed: count('Those that have changed.'),
    outcomes: Outcomes,
    ended_at: timeOrNull('When all was done; null while it is under way.'),
  },
  { $id: 'Batch' },
)

export const BatchesPage = object(page(ref(Batch)), { $id: 'BatchesPage' })

/** What comments moderators mean; the same words as in the queue. */
export const CommentFilter = object(
  {
    status: Type.Optional(
      Type.Array(oneOf(STATUSES), {
        minItems: 1,
        maxItems: STATUSES.length,
        description: 'Unset: `pending`, and with `flagged: true` also `approved`.',
      }),
    ),
    flagged: Type.Optional(
      Type.Boolean({ description: 'With flags that no moderator has decided on, or without.' }),
    ),
    rule: Type.Optional(
      Type.String({ minLength: 1, maxLength: 60, description: 'On which this rule spoke.' }),
    ),
    article_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, description: 'Of this article.' }),
    ),
    author_id: Type.Optional(Type.String({ maxLength: 20, description: 'By this author.' })),
    q: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'With this in the text.' }),
    ),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'Written up to then.' })),
  },
  { $id: 'CommentFilter' },
)

export const NewDecisions = object(
  {
    comment_ids: Type.Optional(
      Type.Array(Type.String({ maxLength: 40 }), {
        minItems: 1,
        maxItems: MAX_SYNC_DECISIONS,
        uniqueItems: true,
        description: 'Either these comments,',
      }),
    ),
    filter: Type.Optional(ref(CommentFilter)),
    expected_count: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'How many the filter finds. Needed with it, but for a dry run.',
      }),
    ),
    from: Type.Optional(
      oneOf(STATUSES, {
        description:
          'The status that the moderator saw. Unset: what each comment has when the request arrives.',
      }),
    ),
    to: oneOf(STATUSES),
    reason: Type.Optional(
      Type.Unsafe<Reason | null>({ type: ['string', 'null'], enum: [...REASONS, null] }),
    ),
    note: Type.Optional(nullable('string', { maxLength: 2000 })),
    replies: Type.Optional(
      oneOf(['keep', 'same'], { description: '`same`: replies with the same status go along.' }),
    ),
    dry_run: Type.Optional(
      Type.Boolean({ description: 'Says what would become of each; nothing is done or stored.' }),
    ),
  },
  {
    $id: 'NewDecisions',
    examples: [{ filter: { status: ['pending'] }, expected_count: 12, to: 'rejected' }],
  },
)

export const BatchResult = object(
  {
    batch: Type.Unsafe<unknown>({
      anyOf: [{ $ref: 'Batch#' }, { type: 'null' }],
      description: 'Null for a dry run.',
    }),
    total: count('The comments that are meant.'),
    outcomes: Outcomes,
    items: Type.Array(
      object({
        comment_id: text('The comment.'),
        outcome: oneOf(OUTCOMES),
        decision_id: textOrNull('The decision that has changed it.'),
      }),
      {
        description: `One for each comment, when they are at most ${MAX_SYNC_DECISIONS}; else none.`,
      },
    ),
  },
  { $id: 'BatchResult' },
)

export const NewPin = object(
  { pinned: Type.Boolean({ description: 'Whether it stands out.' }) },
  { $id: 'NewPin', examples: [{ pinned: true }] },
)

export const NewLock = object(
  { locked: Type.Boolean({ description: 'Whether it and all below it are closed.' }) },
  { $id: 'NewLock', examples: [{ locked: true }] },
)

const decisionId = { decision_id: textOrNull('The decision; null when it was so already.') }

export const Pin = object(
  { comment_id: text('The comment.'), pinned: Type.Boolean(), ...decisionId },
  { $id: 'Pin' },
)

export const Lock = object(
  { comment_id: text('The comment.'), locked: Type.Boolean(), ...decisionId },
  { $id: 'Lock' },
)
