import { Type } from 'typebox'
import { REASONS } from '../../domain/comment/status.ts'
import { APPEAL_OUTCOMES, DECIDERS, STATEMENT_STATUSES } from '../../domain/moderation/statement.ts'
import { Decision, revision } from '../decisions/schemas.ts'
import { ModeratedComment } from '../queue/schemas.ts'
import {
  flag,
  nullable,
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

const stateFields = {
  id: text('Id of the appeal.'),
  appealed_at: time('When the author appealed.'),
  outcome: oneOrNull(
    APPEAL_OUTCOMES,
    '`upheld`: the decision stands. `overturned`: the comment is published. Null until answered.',
  ),
  note: textOrNull('The answer to the author.'),
  answered_at: timeOrNull('When a moderator answered. Null until then.'),
}

const appealFields = { ...stateFields, text: text("The author's explanation.") }

export const NewAppeal = object(
  {
    text: Type.String({
      minLength: 1,
      maxLength: 2000,
      pattern: '\\S',
      description: 'Why the decision should be reviewed.',
    }),
  },
  { $id: 'NewAppeal', examples: [{ text: 'It quotes the article, word for word.' }] },
)

export const Appeal = openObject(appealFields, { $id: 'Appeal' })

/** The response to a write. It omits the text, because responses are stored for a day. */
export const AppealState = openObject(stateFields, { $id: 'AppealState' })

export const Statement = openObject(
  {
    comment_id: text('Id of the comment.'),
    status: oneOf(STATEMENT_STATUSES, {
      description: '`held`: the comment waits for a moderator.',
    }),
    decided_by: oneOf(DECIDERS, { description: 'The decider of this status.' }),
    ground: openObject({
      reason: oneOrNull(REASONS, 'The reason that a moderator gave.'),
      rules: Type.Array(
        openObject({
          rule: text('The name of the rule.'),
          says: text('A sentence about the text or fact that the rule looks at.'),
        }),
        {
          description: 'The rules that held or rejected the comment.',
        },
      ),
    }),
    decided_at: timeOrNull('When the status was decided. Null if the author deleted the comment.'),
    appeal: refOrNull(Appeal, 'Null if there is no appeal yet.'),
    may_appeal: flag('Whether the author can appeal now.'),
  },
  { $id: 'Statement' },
)

export const ModeratedAppeal = openObject(
  {
    ...appealFields,
    author_id: text('Id of the author who appeals.'),
    comment: ref(ModeratedComment),
    decision: refOrNull(
      Decision,
      'The decision that the appeal is about; its `by` cannot answer. Null if rules decided.',
    ),
    answered_by: textOrNull('Id of the API key or member. Null until answered.'),
  },
  { $id: 'ModeratedAppeal' },
)

export const AppealsPage = openObject(page(ref(ModeratedAppeal)), { $id: 'AppealsPage' })

export const NewAnswer = object(
  {
    outcome: oneOf(APPEAL_OUTCOMES, {
      description:
        '`overturned` publishes the comment. `upheld` lets the decision stand, and rejects a comment that is held.',
    }),
    revision: Type.Optional(revision),
    note: Type.Optional(nullable('string', { maxLength: 2000, description: 'For the author.' })),
  },
  {
    $id: 'NewAnswer',
    examples: [{ outcome: 'overturned', revision: 1, note: 'You are right.' }],
  },
)
