import type { PublicIds } from '../../domain/public-id.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import type { RuleQuality } from '../../domain/screening/rule-quality.ts'
import type { ModerationState } from '../../usecases/policies/flood-hold.ts'
import type { ScreeningResult } from '../../usecases/policies/screen-comment.ts'
import type { Progress, SimulationResult } from '../../usecases/policies/simulate-policy.ts'

export const presentTrace = (trace: readonly Finding[]) =>
  trace.map((opinion) => ({
    rule: opinion.rule,
    says: opinion.says,
    counts: opinion.counts ?? true,
    score: opinion.score ?? 0,
    evidence: opinion.evidence,
    found: [...(opinion.found ?? [])],
  }))

/** The trace of a comment as moderators see it. */
export const presentFacts = (ids: PublicIds, facts: Facts) => ({
  at: facts.at,
  site_moderation: facts.siteModeration,
  thread_moderation: facts.threadModeration,
  author: {
    kind: facts.author.kind,
    role: facts.author.role,
    approved: facts.author.approved,
    recent_approved: facts.author.recentApproved,
    recent_rejected: facts.author.recentRejected,
    email_domain: facts.author.emailDomain,
  },
  thread_since: facts.threadSince,
  repeats: { same: facts.repeats.same, near: facts.repeats.near },
  arrivals: {
    thread: facts.arrivals.thread,
    site: facts.arrivals.site,
    network: facts.arrivals.network,
  },
  attacked_until: facts.attackedUntil,
  bans: facts.bans.map(({ id, effect }) => ({ id: ids.write('ban', id), effect })),
  checks: { ...facts.checks },
})

export const presentScreeningResult = (
  ids: PublicIds,
  { verdict, risk, trace, facts, policyVersion }: ScreeningResult,
) => ({
  verdict,
  risk,
  trace: presentTrace(trace),
  facts: presentFacts(ids, facts),
  policy_version: policyVersion,
})

export const presentState = ({ policyVersion, attack }: ModerationState) => ({
  policy_version: policyVersion,
  attack: attack && { since: attack.since, until: attack.until },
})

const presentProgress = ({ total, done, changed }: Progress) => ({ total, done, changed })

const presentQuality = ({ all, approved, turnedDown, precision, recall }: RuleQuality) => ({
  all,
  approved,
  turned_down: turnedDown,
  precision,
  recall,
})

/** One line of a simulation. */
export const presentSimulation = (
  ids: PublicIds,
  line: { progress: Progress } | { result: SimulationResult },
) => {
  if ('progress' in line) return { progress: presentProgress(line.progress) }
  const { changes, stored, draft } = line.result
  return {
    result: {
      ...presentProgress(line.result),
      changes: changes.map(({ from, to, ...key }) => ({
        comment_id: ids.writeComment(key),
        from,
        to,
      })),
      stored: presentQuality(stored),
      draft: presentQuality(draft),
    },
  }
}
