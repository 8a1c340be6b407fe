import { Type } from 'typebox'
import { DEFAULT_POLICY } from '../../domain/screening/default-policy.ts'
import { VERDICTS } from '../../domain/screening/finding.ts'
import { PolicySchema } from '../../domain/screening/policy.ts'
import {
  count,
  nullable,
  object,
  oneOf,
  page,
  ref,
  text,
  textOrNull,
  timeOrNull,
} from '../wire/schema-parts.ts'
import { facts, trace } from './judging-schemas.ts'

const made = {
  version: count('0 is what the service ships.'),
  note: textOrNull('Why it was made.'),
  by: textOrNull('Id of the key or member; null: the service.'),
  at: timeOrNull('Since when it was in force; null: from the start.'),
}

export const VersionedPolicy = object(
  { ...made, policy: ref(PolicySchema) },
  { $id: 'KnownPolicy' },
)

const note = Type.Optional(
  nullable('string', { maxLength: 500, description: 'For who reads the history.' }),
)

export const NewPolicy = object(
  { policy: ref(PolicySchema), note },
  { $id: 'NewPolicy', examples: [{ policy: DEFAULT_POLICY, note: 'back to what is shipped' }] },
)

export const Restoration = object(
  { note },
  { $id: 'Restoration', examples: [{ note: 'it held too much' }] },
)

export const PoliciesPage = object(page(object(made)), { $id: 'PoliciesPage' })

export const Trial = object(
  {
    body: text('The Markdown source.'),
    author: Type.Optional(
      object({
        name: Type.Optional(text('Who writes it.')),
        url: Type.Optional(textOrNull('http or https.')),
        email: Type.Optional(textOrNull('Its domain counts.')),
      }),
    ),
    article_id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, description: 'Where it would be.' }),
    ),
    policy: Type.Optional(ref(PolicySchema)),
  },
  { $id: 'Trial', examples: [{ body: 'Is this held?' }] },
)

const verdict = oneOf(VERDICTS, { description: 'What it would become.' })

export const Tried = object(
  {
    verdict,
    risk: count('0 to 100.'),
    trace,
    facts,
    policy_version: Type.Unsafe<number | null>({
      type: ['integer', 'null'],
      description: 'What it was judged by; null: the draft.',
    }),
  },
  { $id: 'Tried' },
)

export const NewSimulation = object(
  {
    policy: ref(PolicySchema),
    days: Type.Integer({ minimum: 1, maximum: 90, description: 'Of the last so many days.' }),
  },
  { $id: 'NewSimulation', examples: [{ policy: DEFAULT_POLICY, days: 7 }] },
)

const progress = {
  total: count('Comments that there were at the start.'),
  done: count('Those that were judged.'),
  changed: count('Of which the policy says something else.'),
}
const counts = (description: string) =>
  object(Object.fromEntries(VERDICTS.map((name) => [name, count(`Said: ${name}.`)])), {
    description,
  })
const share = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: 0, maximum: 1, description })
const figures = (description: string) =>
  object(
    {
      all: counts('Of all comments.'),
      approved: counts('Of those that a moderator approved.'),
      turned_down: counts('Of those that a moderator made spam, rejected or deleted.'),
      precision: share('Of what is held and was decided on, what was turned down.'),
      recall: share('Of what was turned down, what is held.'),
    },
    { description },
  )

export const SimulationLine = object(
  {
    progress: Type.Optional(object(progress)),
    result: Type.Optional(
      object({
        ...progress,
        changes: Type.Array(
          object({ comment_id: text('The comment.'), from: verdict, to: verdict }),
          { description: 'A hundred of them.' },
        ),
        stored: figures('What was said.'),
        draft: figures('What the policy says.'),
      }),
    ),
  },
  { $id: 'SimulationLine', description: 'One of the two; the last line is the result.' },
)

export const ModerationState = object(
  {
    policy_version: count('What comments are judged by.'),
    attack: Type.Unsafe<object | null>({
      type: ['object', 'null'],
      description: 'Since when and until when everything is held, because too much arrives.',
      additionalProperties: false,
      required: ['since', 'until'],
      properties: {
        since: { type: 'string', format: 'date-time' },
        until: { type: 'string', format: 'date-time' },
      },
    }),
  },
  { $id: 'ModerationState' },
)

export const Rejudging = object(
  {},
  { $id: 'Rejudging', description: 'Nothing more is needed.', examples: [{}] },
)
