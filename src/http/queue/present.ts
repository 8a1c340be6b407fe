import type { PublicIds } from '../../domain/public-id.ts'
import { awaitedChecks } from '../../domain/screening/check-facts.ts'
import type { ModeratedComment } from '../../usecases/queue/queue.ts'
import { presentWhole } from '../comments/present.ts'
import { presentFacts, presentTrace } from '../judging/present.ts'
import { presentArticle } from '../site-lists/present.ts'
import { presentDoer } from '../wire/stored-ids.ts'

export const presentForModeration = (ids: PublicIds, comment: ModeratedComment) => ({
  ...presentWhole(ids, comment),
  article: { ...presentArticle(comment), confirmed: comment.isConfirmed },
  deleted_by: deletedBy(comment),
  redacted_at: comment.redactedAt,
  shadowed: comment.isShadowed,
  email: comment.email,
  network: comment.network,
  trace: presentTrace(comment.screening ?? []),
  risk: comment.risk,
  policy_version: comment.policyVersion,
  facts: comment.facts && presentFacts(ids, comment.facts),
  waiting_for: waitingFor(comment),
  claim: comment.claimedBy && {
    by: presentDoer(ids, comment.claimedBy),
    until: comment.claimedUntil,
  },
  flag_count: comment.flagCount,
  flags: comment.flags.map((flag) => ({
    reason: flag.reason,
    note: flag.note,
    by: ids.write('author', flag.authorId),
    flagged_at: flag.at,
    resolved: flag.isResolved,
  })),
})

/** The checks without a score that hold the comment. */
const waitingFor = ({ status, facts, screening }: ModeratedComment) =>
  status !== 'pending' || !facts
    ? []
    : awaitedChecks(screening ?? [], facts.checks).map(({ name, error }) => ({
        check: name,
        since: facts.at,
        error,
      }))

/** An author's withdrawal stands beside a moderator's decision, and an erasure or a redaction above both. */
const deletedBy = ({ status, isErased, redactedAt, isWithdrawn }: ModeratedComment) => {
  if (status !== 'deleted') return null
  if (isErased) return 'erasure'
  if (redactedAt !== null) return 'redaction'
  return isWithdrawn ? 'author' : 'moderator'
}
