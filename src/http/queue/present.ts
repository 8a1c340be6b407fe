import { authorId } from '../../domain/public-id.ts'
import type { ModeratedComment } from '../../usecases/queue/queue.ts'
import { presentWhole } from '../comments/present.ts'
import { presentFacts, presentTrace } from '../judging/present.ts'
import { presentArticle } from '../site-lists/present.ts'

export const presentForModeration = (comment: ModeratedComment) => ({
  ...presentWhole(comment),
  article: presentArticle(comment),
  shadowed: comment.isShadowed,
  email: comment.email,
  network: comment.network,
  trace: presentTrace(comment.screening ?? []),
  risk: comment.risk,
  policy_version: comment.policyVersion,
  facts: comment.facts && presentFacts(comment.facts),
  claim: comment.claimedBy === null ? null : { by: comment.claimedBy, until: comment.claimedUntil },
  flag_count: comment.flagCount,
  flags: comment.flags.map((flag) => ({
    reason: flag.reason,
    note: flag.note,
    by: authorId(flag.authorId),
    flagged_at: flag.at,
    resolved: flag.isResolved,
  })),
})
