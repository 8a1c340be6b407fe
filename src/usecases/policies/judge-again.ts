import type { PolicyInForce } from '../../cache/policies.ts'
import { currentCheckFacts } from '../../domain/screening/check-facts.ts'
import type { Judgement } from '../../domain/screening/compile-policy.ts'
import { draftOf, type Facts } from '../../domain/screening/facts.ts'
import type { Db } from '../../postgres/connection/db.ts'
import type { JudgedWriter } from '../../postgres/screening/judged-comments.ts'
import { findJudgingSettings, type JudgingSettings } from '../../postgres/service/sites.ts'
import type { Context } from '../context.ts'
import { findBansOnStored } from './bans-on-stored.ts'
import { judgeByPolicy } from './judge-by-policy.ts'

type Options = {
  readonly siteId: number
  readonly policy: PolicyInForce
  /** Whether the checks without a score are asked again. */
  readonly asksAgain: boolean
}

/**
 * Returns the facts of stored comments with the bans, modes, flood hold and checks of now. Counts stay as they were
 * when each comment was written.
 */
const renewFacts = async (
  { banHashes: hashes }: Context,
  db: Db,
  { siteId, policy, asksAgain }: Options,
  comments: readonly JudgedWriter[],
): Promise<readonly Facts[]> => {
  const settings = await findJudgingSettings(db, siteId)
  const writers = comments.map((one) => ({ ...one, bans: one.facts.bans }))
  const bans = await findBansOnStored(db, { siteId, hashes }, writers)
  const now = { checks: settings.checks, policy: policy.policy, asksAgain }
  return comments.map(({ facts, threadModeration }, n) => ({
    ...facts,
    siteModeration: settings.moderation,
    threadModeration,
    attackedUntil: floodHoldOf(facts, settings),
    bans: bans[n]!,
    checks: currentCheckFacts(facts.checks, now),
  }))
}

/** The flood hold of now, or the one in which the comment was written. */
const floodHoldOf = ({ attackedUntil }: Facts, settings: JudgingSettings) =>
  settings.attackedUntil ?? attackedUntil

/** Judges held comments by the facts of now. A comment that a shadow ban matches stays held. */
export const judgeAgain = async <Comment extends JudgedWriter>(
  context: Context,
  db: Db,
  options: Options,
  comments: readonly Comment[],
): Promise<readonly { comment: Comment; facts: Facts; judgement: Judgement }[]> => {
  const renewed = await renewFacts(context, db, options, comments)
  return comments.map((comment, n) => {
    const known = { draft: draftOf(comment), facts: renewed[n]!, mayBeSeen: false }
    return { comment, ...judgeByPolicy(options.policy, known) }
  })
}
