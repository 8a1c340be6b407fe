import type { Instant } from '../../domain/instant.ts'
import type { CommentKey } from '../../domain/public-id.ts'
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
import { compileDraft } from './compile-draft.ts'

/** Reading this many and sending them to the worker thread takes a few milliseconds of this thread. */
const COMMENTS_PER_QUERY = 50
const MAX_CHANGES = 100
const START: Before = { at: 'infinity', id: 0 }

/** A comment whose verdict the policy changes. */
export type VerdictChange = CommentKey & { readonly from: Verdict; readonly to: Verdict }

export type Progress = { readonly total: number; readonly done: number; readonly changed: number }

export type SimulationResult = Progress & {
  /** The latest 100. */
  readonly changes: readonly VerdictChange[]
  /** The quality of the stored verdicts, and of the policy's. */
  readonly stored: RuleQuality
  readonly draft: RuleQuality
}

/**
 * Judges the comments of the last days by a policy, from their stored facts, and compares the verdicts with
 * moderators' decisions. Yields the progress after each query, and the result at the end. Changes nothing,
 * and stops when the consumer stops.
 */
export async function* simulatePolicy(
  context: Context,
  { siteId, policy, days }: { siteId: number; policy: Policy; days: number },
): AsyncGenerator<{ progress: Progress } | { result: SimulationResult }> {
  const draft = await compileDraft(context, policy)
  const run: Run = { done: 0, changed: 0, changes: [], stored: createTally(), draft: createTally() }
  const { total, since } = await runQuery(countJudged(context.db, { siteId, days }))
  const progress = () => ({ total, done: run.done, changed: run.changed })
  yield { progress: progress() }
  for (const part of JUDGED_PARTS) {
    for await (const batch of listAll(context, { siteId, since, part })) {
      count(run, batch, await context.policyTasks.judge(draft, batch))
      yield { progress: progress() }
    }
  }
  const { changes, stored, draft: drafted } = run
  yield {
    result: {
      ...progress(),
      changes,
      stored: ruleQualityOf(stored),
      draft: ruleQualityOf(drafted),
    },
  }
}

async function* listAll(
  { db }: Context,
  span: { siteId: number; since: Instant; part: Part },
): AsyncGenerator<DecidedComment[]> {
  for (let before = START, isOver = false; !isOver; ) {
    const batch = await runQuery(listJudged(db, { ...span, before, limit: COMMENTS_PER_QUERY }))
    if (batch.length > 0) yield batch
    isOver = batch.length < COMMENTS_PER_QUERY
    before = batch.at(-1) ?? before
  }
}

type Run = {
  done: number
  changed: number
  changes: VerdictChange[]
  readonly stored: Tally
  readonly draft: Tally
}

const count = (
  run: Run,
  comments: readonly DecidedComment[],
  verdicts: readonly Verdict[],
): void => {
  for (const [n, comment] of comments.entries()) {
    const from = combine(comment.trace)
    const to = verdicts[n]!
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
