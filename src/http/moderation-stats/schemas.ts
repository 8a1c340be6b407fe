import { Type } from 'typebox'
import { STATUSES } from '../../domain/comment/status.ts'
import { DECISION_ACTIONS } from '../../domain/moderation/decision.ts'
import { count, openObject, time, timeOrNull } from '../wire/schema-parts.ts'

const seconds = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], minimum: 0, description })

const each = (names: readonly string[], describe: (name: string) => string) =>
  openObject(Object.fromEntries(names.map((name) => [name, count(describe(name))])))

export const ModerationStats = openObject(
  {
    since: time(
      'Start of the counted time: later than requested if there are more than 100,000 decisions.',
    ),
    decisions: openObject({
      by_people: count('Decisions of moderators, without undos.'),
      by_rules: count('Decisions of rules and flags.'),
      by_action: each(DECISION_ACTIONS, (name) => `Decisions with the action \`${name}\`.`),
      by_outcome: each(STATUSES, (name) => `Decisions to \`${name}\`.`),
    }),
    reversals: openObject({
      undone: count('Decisions that were undone.'),
      overturned: count('Appeals that overturned a decision.'),
    }),
    time_to_decision: openObject({
      count: count('Held comments that moderators decided on.'),
      median_seconds: seconds('Half of them waited at most this long. Null if there are none.'),
      p90_seconds: seconds('90 % of them waited at most this long. Null if there are none.'),
    }),
    waiting: openObject({
      comments: count('Pending comments.'),
      oldest_comment_at: timeOrNull('When the oldest pending comment was posted.'),
      appeals: count('Open appeals.'),
      oldest_appeal_at: timeOrNull('When the oldest open appeal was made.'),
    }),
  },
  { $id: 'ModerationStats' },
)
