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
  /** Of the check. */
  readonly name: string
  readonly signed: Signed
  /** Undefined: an id that no comment has. */
  readonly comment: CommentKey | undefined
  readonly score: number
  /** Of the text that was judged; undefined: of the one that there is. */
  readonly revision: number | undefined
}

/**
 * Takes the verdict of a check that has needed time. The first one stands: another one for the same
 * text changes nothing, whoever repeats it.
 */
export const reportCheck = async (context: Context, request: ReportRequest): Promise<void> => {
  const { site, name, signed, comment, score, revision } = request
  const check = site.checks.find((known) => known.name === name)
  if (!check || !context.checks.isFrom(check, signed)) throw new Refusal('invalid_token')
  if (!comment) throw new Refusal('not_found')
  const answers = { [name]: { state: 'answered' as const, score } }
  const said = { answers, revision, replaces: ['asked', 'failed'] as const }
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
