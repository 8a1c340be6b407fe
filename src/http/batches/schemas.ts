import { Type } from 'typebox'
import { THREAD_STATES } from '../../domain/comment/comment.ts'
import { STATUSES } from '../../domain/comment/status.ts'
import { BATCH_KINDS, MAX_SYNC_DECISIONS, OUTCOMES } from '../../domain/moderation/decision.ts'
import {
  by,
  count,
  integerOrNull,
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
  Object.fromEntries(
    OUTCOMES.map((outcome) => [outcome, count(`Comments or threads: \`${outcome}\`.`)]),
  ),
  { $id: 'Outcomes', description: 'How many have which outcome so far.' },
)

export const Batch = openObject(
  {
    id: text('Id of the batch.'),
    kind: oneOf(BATCH_KINDS, {
      description:
        '`decide`: decisions on comments, `decide_threads`: on threads. `undo`: undos. `judge`: ' +
        'rejudgements. `merge`: comments that move. `remap`: threads that get other article ids.',
    }),
    to: oneOrNull(STATUSES, 'The new status, if it is the same for all comments.'),
    to_state: oneOrNull(THREAD_STATES, 'The new state of all threads.'),
    undoes: textOrNull('The batch that this one undoes.'),
    by,
    at: time('When the batch was requested.'),
    total: count('Comments or threads of the batch.'),
    done: count('Comments or threads that have an outcome.'),
    changed: count('Comments or threads with the outcome `changed`.'),
    outcomes: ref(Outcomes),
    ended_at: timeOrNull('When the batch ended. Null while it runs.'),
  },
  { $id: 'Batch' },
)

export const BatchesPage = openObject(page(ref(Batch)), { $id: 'BatchesPage' })

export const BatchResult = openObject(
  {
    batch: refOrNull(Batch, 'Null for a dry run.'),
    total: count('Comments or threads of the request.'),
    outcomes: ref(Outcomes),
    replies: Type.Optional(
      integerOrNull('Dry run: replies that would change too. Null for a batch.'),
    ),
    as_of: Type.Optional(text('Dry run: send it with the decision.')),
    items: Type.Array(
      openObject({
        comment_id: textOrNull('The comment. Null if the item is a thread.'),
        article_id: textOrNull('The article of the thread. Null if the item is a comment.'),
        outcome: oneOf(OUTCOMES),
        decision_id: textOrNull('The decision that changed it. Null if none did.'),
      }),
      { description: `Empty for more than ${MAX_SYNC_DECISIONS}.` },
    ),
  },
  { $id: 'BatchResult' },
)
