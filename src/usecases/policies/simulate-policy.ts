import { setImmediate as turn } from 'node:timers/promises'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { type CompiledPolicy, compilePolicy } from '../../domain/screening/compile-policy.ts'
import { combine, type Verdict } from '../../domain/screening/finding.ts'
import type { Policy } from '../../domain/screening/policy.ts'
import {
  addToTally,
  createTally,
  type RuleQuality,
  ruleQualityOf,
  type Tally,
} from '../../domain/screening/rule-quality.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import {
  type Before,
  countJudged,
  type DecidedComment,
  JUDGED_PARTS,
  listJudged,
  type Part,
} from '../../postgres/screening/judged-comments.ts'
import type { Context } from '../context.ts'

const BATCH = 200
/** So many are judged before others have their turn. */
const AT_ONCE = 20
const MAX_CHANGES = 100
const START: Before = { at: 'infinity', id: 0 }

/** A comment of which the policy says something else than was said. */
export type Change = CommentKey & { readonly from: Verdict; readonly to: Verdict }

export type Progress = { readonly total: number; readonly done: number; readonly changed: number }

export type Simulated = Progress & {
  /** The latest hundred. */
  readonly changes: readonly Change[]
  /** What was said, and what the policy says. */
  readonly stored: RuleQuality
  readonly draft: RuleQuality
}

/**
 * What a policy would have said of the comments of the last days, from the facts that they were judged
 * by, and how that agrees with what moderators decided. Says how far it is after each batch, and at last
 * the result. Touches nothing, and ends when nobody reads on.
 */
export async function* simulatePolicy(
  context: Context,
  { siteId, policy, days }: { siteId: number; policy: Policy; days: number },
): AsyncGenerator<{ progress: Progress } | { result: Simulated }> {
  const screen = compilePolicy(policy)
  const run: Run = { done: 0, changed: 0, changes: [], stored: createTally(), draft: createTally() }
  const { total, since } = await runQuery(countJudged(context.db, { siteId, days }))
  const progress = () => ({ total, done: run.done, changed: run.changed })
  yield { progress: progress() }
  for (const part of JUDGED_PARTS) {
    for await (const batch of walk(context, { siteId, since, part })) {
      await judgeAll(screen, batch, run)
      yield { progress: progress() }
    }
  }
  const { changes, stored, draft } = run
  yield {
    result: { ...progress(), changes, stored: ruleQualityOf(stored), draft: ruleQualityOf(draft) },
  }
}

async function* walk(
  { db }: Context,
  span: { siteId: number; since: Instant; part: Part },
): AsyncGenerator<DecidedComment[]> {
  for (let before = START, isOver = false; !isOver; ) {
    const batch = await runQuery(listJudged(db, { ...span, before, limit: BATCH }))
    if (batch.length > 0) yield batch
    isOver = batch.length < BATCH
    before = batch.at(-1) ?? before
  }
}

type Run = {
  done: number
  changed: number
  changes: Change[]
  readonly stored: Tally
  readonly draft: Tally
}

const judgeAll = async (
  screen: CompiledPolicy,
  comments: readonly DecidedComment[],
  run: Run,
): Promise<void> => {
  for (const [n, comment] of comments.entries()) {
    if (n % AT_ONCE === 0) await turn()
    const from = combine(comment.trace)
    const to = screen(comment, comment.facts).verdict
    run.done += 1
    addToTally(run.stored, from, comment.decided)
    addToTally(run.draft, to, comment.decided)
    if (from === to) continue
    run.changed += 1
    const { threadId, id, homeThreadId = null } = comment
    const key = { threadId, id, homeThreadId }
    if (run.changes.length < MAX_CHANGES) run.changes.push({ ...key, from, to })
  }
}
