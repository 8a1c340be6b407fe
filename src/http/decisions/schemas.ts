import { Type } from 'typebox'
import { STATUSES } from '../../domain/comment/status.ts'
import { BATCH_KINDS, MAX_SYNC_DECISIONS, OUTCOMES } from '../../domain/moderation/decision.ts'
import {
  by,
  count,
  explanation,
  flag,
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
  timeOrNull,
} from '../wire/schema-parts.ts'

export const Outcomes = openObject(
  Object.fromEntries(OUTCOMES.map((outcome) => [outcome, count(`Comments: \`${outcome}\`.`)])),
  { $id: 'Outcomes', description: 'How many comments have which outcome so far.' },
)

export const Batch = openObject(
  {
    id: text('Id of the batch.'),
    kind: oneOf(BATCH_KINDS, {
      description: '`decide`: decisions. `undo`: undos. `judge`: rejudgements.',
    }),
    to: oneOrNull(STATUSES, 'The new status, if it is the same for all comments.'),
    undoes: textOrNull('The batch that this one undoes.'),
    by,
    at: time('When the batch was requested.'),
    total: count('Comments of the batch.'),
    done: count('Comments that have an outcome.'),
    changed: count('Comments with the outcome `changed`.'),
    outcomes: ref(Outcomes),
    ended_at: timeOrNull('When the batch ended. Null while it runs.'),
  },
  { $id: 'Batch' },
)

export const BatchesPage = openObject(page(ref(Batch)), { $id: 'BatchesPage' })

/** The filter of the queue, of claims and of decisions on many comments. */
export const CommentFilter = object(
  {
    status: Type.Optional(
      Type.Array(oneOf(STATUSES), {
        minItems: 1,
        maxItems: STATUSES.length,
        description: 'Omitted: `pending`, and with `flagged: true` also `approved`.',
      }),
    ),
    flagged: Type.Optional(flag('Only comments with unresolved flags, or only those without.')),
    rule: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 60,
        description: 'Only comments with a finding of this rule.',
      }),
    ),
    article_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, description: 'Only comments of this article.' }),
    ),
    author_id: Type.Optional(
      Type.String({ maxLength: 20, description: 'Only comments by this author.' }),
    ),
    q: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'Only comments whose text contains this.',
      }),
    ),
    until: Type.Optional(
      Type.String({ format: 'date-time', description: 'Only comments posted up to this time.' }),
    ),
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
        description: 'The comments to change. Send either this or `filter`.',
      }),
    ),
    filter: Type.Optional(ref(CommentFilter)),
    expected_count: Type.Optional(
      Type.Integer({
        minimum: 0,
        description:
          'How many comments match the filter. Required with `filter`, except in a dry run.',
      }),
    ),
    from: Type.Optional(
      oneOf(STATUSES, {
        description:
          'The status that the moderator saw. Omitted: the status of each comment when the request arrives.',
      }),
    ),
    to: oneOf(STATUSES, { description: 'The new status.' }),
    ...explanation,
    replies: Type.Optional(
      oneOf(['keep', 'same'], {
        description: '`same`: replies that have the same status change too. Omitted: `keep`.',
      }),
    ),
    dry_run: Type.Optional(flag('Return the outcomes without changing or storing anything.')),
  },
  {
    $id: 'NewDecisions',
    examples: [{ filter: { status: ['pending'] }, expected_count: 12, to: 'rejected' }],
  },
)

export const BatchResult = openObject(
  {
    batch: refOrNull(Batch, 'Null for a dry run.'),
    total: count('Comments of the request.'),
    outcomes: ref(Outcomes),
    items: Type.Array(
      openObject({
        comment_id: text('Id of the comment.'),
        outcome: oneOf(OUTCOMES),
        decision_id: textOrNull('The decision that changed the comment. Null if none did.'),
      }),
      { description: `One item per comment. Empty for more than ${MAX_SYNC_DECISIONS} comments.` },
    ),
  },
  { $id: 'BatchResult' },
)

const pinned = flag('Whether the comment is highlighted.')
const locked = flag('Whether the comment and all replies below it are closed.')

export const NewPin = object({ pinned }, { $id: 'NewPin', examples: [{ pinned: true }] })

export const NewLock = object({ locked }, { $id: 'NewLock', examples: [{ locked: true }] })

const marked = {
  comment_id: text('Id of the comment.'),
  decision_id: textOrNull('The decision. Null if nothing changed.'),
}

export const Pin = openObject({ ...marked, pinned }, { $id: 'Pin' })

export const Lock = openObject({ ...marked, locked }, { $id: 'Lock' })
