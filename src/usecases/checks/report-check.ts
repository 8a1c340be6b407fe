import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Signed } from '../../domain/site/check.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findAskable } from '../../postgres/screening/checks.ts'
import type { Context } from '../context.ts'
import { withMovedComment } from '../with-moved-comment.ts'
import { saveCheckResults } from './check-comment.ts'

export type ReportRequest = {
  readonly site: Site
  /** The name of the check. */
  readonly name: string
  readonly signed: Signed
  /** Undefined if the id is malformed. */
  readonly comment: CommentKey | undefined
  readonly score: number
  /** The revision that the check judged; undefined: the current revision. */
  readonly revision: number | undefined
}

/**
 * Receives the score of a check that answered `pending`. The first score for a revision stands; a second
 * one changes nothing.
 */
export const reportCheck = async (context: Context, request: ReportRequest): Promise<void> => {
  const { site, name, signed, comment, score, revision } = request
  const check = site.checks.find((known) => known.name === name)
  if (!check || !context.checks.isFrom(check, signed)) throw new Refusal('invalid_token')
  if (!comment) throw new Refusal('not_found')
  const answers = { [name]: { state: 'answered' as const, score } }
  const said = { answers, revision }
  await withMovedComment(
    context,
    { site, caller: 'check', comment, look: 'first' },
    async (place) => {
      const found = await runQuery(findAskable(context.db, { siteId: site.id, ...place }))
      if (!found) throw new Refusal('not_found')
      await saveCheckResults(context, { site, comment: place, ...said })
    },
  )
}
