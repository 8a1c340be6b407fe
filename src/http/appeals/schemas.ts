import { Type } from 'typebox'
import { REASONS } from '../../domain/comment/status.ts'
import { DECIDERS, OUTCOMES, STATEMENT_STATUSES } from '../../domain/moderation/statement.ts'
import { Decision, ModeratedComment } from '../queue/schemas.ts'
import {
  nullable,
  object,
  oneOf,
  oneOrNull,
  page,
  ref,
  refOrNull,
  text,
  textOrNull,
  time,
  timeOrNull,
} from '../wire/schema-parts.ts'

const answerFields = {
  id: text('Opaque.'),
  appealed_at: time('When.'),
  outcome: oneOrNull(OUTCOMES, 'Null while it waits.'),
  note: textOrNull('What the author is told.'),
  answered_at: timeOrNull('When it was answered.'),
}
const appealFields = { ...answerFields, text: text('What the author says.') }

export const NewAppeal = object(
  {
    text: Type.String({
      minLength: 1,
      maxLength: 2000,
      pattern: '\\S',
      description: 'Why somebody else should look again.',
    }),
  },
  { $id: 'NewAppeal', examples: [{ text: 'It quotes the article, word for word.' }] },
)

export const Appeal = object(appealFields, { $id: 'Appeal' })

/** An answer to a write, which is remembered and therefore repeats no text. */
export const AppealState = object(answerFields, { $id: 'AppealState' })

export const Statement = object(
  {
    comment_id: text('The comment.'),
    status: oneOf(STATEMENT_STATUSES, {
      description: '`held`: it waits for somebody to look at it.',
    }),
    decided_by: oneOf(DECIDERS, { description: 'Who brought that about.' }),
    ground: object({
      reason: oneOrNull(REASONS, 'The reason that a moderator gave.'),
      rules: Type.Array(object({ rule: text('Name.'), says: text('What it looks at.') }), {
        description: 'The rules that held it or turned it down.',
      }),
    }),
    decided_at: timeOrNull('When; null when the author deleted it.'),
    appeal: refOrNull(Appeal, 'Null before there is one.'),
    may_appeal: Type.Boolean({ description: 'Whether an appeal would be taken at this moment.' }),
  },
  { $id: 'Statement' },
)

export const ModeratedAppeal = object(
  {
    ...appealFields,
    author_id: text('Who appeals.'),
    comment: ref(ModeratedComment),
    decision: refOrNull(
      Decision,
      'What it is about; null where rules alone decided. Its `by` must not answer.',
    ),
    answered_by: textOrNull('Id of the key or member.'),
  },
  { $id: 'ModeratedAppeal' },
)

export const AppealsPage = object(page(ref(ModeratedAppeal)), { $id: 'AppealsPage' })

export const NewAnswer = object(
  {
    outcome: oneOf(OUTCOMES, {
      description: '`overturned` publishes the comment; `upheld` turns down what was only held.',
    }),
    note: Type.Optional(nullable('string', { maxLength: 2000, description: 'For the author.' })),
  },
  { $id: 'NewAnswer', examples: [{ outcome: 'overturned', note: 'You are right.' }] },
)
