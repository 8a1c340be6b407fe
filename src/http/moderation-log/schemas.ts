import { Type } from 'typebox'
import { STATUSES } from '../../domain/comment/status.ts'
import { DECISION_ACTIONS } from '../../domain/moderation/decision.ts'
import { count, object, time, timeOrNull } from '../wire/schema-parts.ts'

const seconds = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: 0, description })

const each = (names: readonly string[], describe: (name: string) => string) =>
  object(Object.fromEntries(names.map((name) => [name, count(describe(name))])))

export const Figures = object(
  {
    since: time(
      'From when on decisions are counted: later than asked for when there are too many.',
    ),
    decisions: object({
      by_people: count('Acts of moderators, those not counted that take others back.'),
      by_rules: count('By rules, and by flags of readers together.'),
      by_action: each(DECISION_ACTIONS, (name) => `Of both, with the action ${name}.`),
      by_outcome: each(STATUSES, (name) => `Of both, that made a comment ${name}.`),
    }),
    reversals: object({
      undone: count('Decisions that were taken back.'),
      overturned: count('Appeals that were granted.'),
    }),
    time_to_decision: object({
      count: count('Comments that were held, and that people have decided on.'),
      median_seconds: seconds('So long half of them had waited at most; null without any.'),
      p90_seconds: seconds('And nine of ten.'),
    }),
    waiting: object({
      comments: count('Comments that are pending.'),
      oldest_comment_at: timeOrNull('When the first of them was written.'),
      appeals: count('Appeals without an answer.'),
      oldest_appeal_at: timeOrNull('When the first of them was made.'),
    }),
  },
  { $id: 'Figures' },
)
