import type { PolicyInForce } from '../../cache/policies.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { BanMatch } from '../../domain/moderation/ban.ts'
import { checkTimingOf, initialCheckFacts } from '../../domain/screening/check-facts.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Verdict } from '../../domain/screening/finding.ts'
import type { Rendering } from '../../domain/screening/rendering.ts'
import type { Site } from '../../domain/site/site.ts'
import type { CommentForWrite, StoredJudgement } from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import type { Arrival } from '../../postgres/screening/arrivals.ts'
import type { ThreadForWrite } from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import {
  countFor,
  type EarlierPost,
  factsOf,
  type LoadedFacts,
  type PostOrigin,
  type TextHashes,
} from '../policies/count-facts.ts'
import { judgeByPolicy } from '../policies/judge-by-policy.ts'

/** A text for a comment that may get it, read under the lock of its thread. */
export type TextToJudge = {
  readonly site: Site
  readonly comment: CommentForWrite
  readonly thread: ThreadForWrite
  readonly policy: PolicyInForce
  readonly rendering: Rendering
  readonly origin: PostOrigin
  /** The bans that match the author and do not block. */
  readonly bans: Facts['bans']
}

export type JudgedText = StoredJudgement & {
  readonly verdict: Verdict
  readonly isShadowed: boolean
  /** The text as a recent post. */
  readonly arrival: Arrival
}

/** The text of an edit that is allowed but for bans. */
type TextOfEdit = Pick<TextToJudge, 'site' | 'comment' | 'thread' | 'policy' | 'rendering'> & {
  /** The bans that match the author. */
  readonly bans: readonly BanMatch[]
  readonly hashes: TextHashes
}

/** Prepares a text for judging. Refuses with `banned` if a ban blocks the author. */
export const toJudge = (text: TextOfEdit): TextToJudge => {
  const { site, comment, thread, policy, rendering } = text
  const bans = assertNotBlocked(text.bans)
  const { id: againId, author, addressHash } = comment
  const origin = { ...text.hashes, authorId: author.id, addressHash, againId }
  return { site, comment, thread, policy, bans, rendering, origin }
}

/** Counts the facts of several texts in one query. */
export const countForTexts = (tx: Tx, texts: readonly TextToJudge[]): Promise<LoadedFacts> => {
  const threadIds = [...new Set(texts.map(({ thread }) => thread.id))]
  const scope = { siteId: texts[0]!.site.id, threadIds }
  return countFor(
    tx,
    scope,
    texts.map(({ origin }) => origin),
  )
}

/** Judges one text as a comment that is posted now; the facts do not count the old text. */
export const judgeText = async (tx: Tx, text: TextOfEdit): Promise<JudgedText> => {
  const prepared = toJudge(text)
  return judgeByFacts(prepared, await countForTexts(tx, [prepared]), [])
}

/** @param earlier the texts that were judged before in the same transaction */
export const judgeByFacts = (
  { site, comment, thread, policy, rendering, origin, bans }: TextToJudge,
  counted: LoadedFacts,
  earlier: readonly EarlierPost[],
): JudgedText => {
  const { author, id, suggestedTitle } = comment
  const subject = {
    ...origin,
    threadId: thread.id,
    kind: author.kind,
    role: author.role,
    email: undefined,
    siteModeration: site.moderation,
    threadModeration: thread.moderation,
    attackedUntil: counted.attackedUntil,
    bans: [...bans, ...comment.shadows],
  }
  const checks = initialCheckFacts(site.checks, policy.policy)
  const gathered = { ...factsOf(counted, subject, earlier), checks }
  const draft = { rendering, authorName: author.name, authorUrl: author.url, suggestedTitle }
  const mayBeSeen = isVisible(comment.status) || comment.shadows.length > 0
  const { judgement, facts, isShadowed } = judgeByPolicy(policy, {
    draft,
    facts: gathered,
    mayBeSeen,
  })
  const { verdict, risk, trace } = judgement
  const { fingerprint, sketch } = origin
  const arrival = { threadId: thread.id, id, authorId: author.id, fingerprint, sketch }
  return { policyVersion: policy.version, facts, risk, trace, verdict, isShadowed, arrival }
}

/** Whether the comment keeps its status, has no shadow before or after the edit, and needs no check. */
export const changesTextOnly = (comment: CommentForWrite, judged: JudgedText): boolean =>
  !judged.isShadowed &&
  comment.shadows.length === 0 &&
  checkTimingOf(judged.trace, judged.facts) === 'never' &&
  !mustHide(comment, judged.verdict)

/** Whether the edit sends the comment to another status. A comment that moderators turned down keeps its own. */
export const mustHide = ({ status }: CommentForWrite, verdict: Verdict): boolean =>
  isVisible(status) ? verdict !== 'approved' : status === 'pending' && !isMild(verdict)

const isMild = (verdict: Verdict): boolean => verdict === 'approved' || verdict === 'pending'
