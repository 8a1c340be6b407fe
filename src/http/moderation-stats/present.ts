import { STATUSES } from '../../domain/comment/status.ts'
import { DECISION_ACTIONS } from '../../domain/moderation/decision.ts'
import type { ModerationStats } from '../../usecases/queue/moderation-log.ts'

type Counted = ModerationStats['counts'][number]

export const presentModerationStats = ({
  since,
  counts,
  undone,
  overturned,
  waited,
  waiting,
}: ModerationStats) => {
  const sum = (isMeant: (one: Counted) => boolean): number =>
    counts.filter(isMeant).reduce((total, { count }) => total + count, 0)
  const each = <T extends string>(names: readonly T[], of: (one: Counted) => string | null) =>
    Object.fromEntries(names.map((name) => [name, sum((one) => of(one) === name)]))
  return {
    since,
    decisions: {
      by_people: sum(({ isAutomatic }) => !isAutomatic),
      by_rules: sum(({ isAutomatic }) => isAutomatic),
      by_action: each(DECISION_ACTIONS, ({ action }) => action),
      by_outcome: each(STATUSES, ({ to }) => to),
    },
    reversals: { undone, overturned },
    time_to_decision: {
      count: waited.count,
      median_seconds: secondsOf(waited.medianMs),
      p90_seconds: secondsOf(waited.p90Ms),
    },
    waiting: {
      comments: waiting.comments,
      oldest_comment_at: waiting.oldestCommentAt,
      appeals: waiting.appeals,
      oldest_appeal_at: waiting.oldestAppealAt,
    },
  }
}

const secondsOf = (ms: number | null): number | null => (ms === null ? null : ms / 1000)
