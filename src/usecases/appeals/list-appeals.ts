import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Appeal, listAppeals as findAppeals } from '../../postgres/moderation/appeals.ts'
import type { Decision } from '../../postgres/moderation/decisions.ts'
import { findDecisions } from '../../postgres/moderation/moderation-log.ts'
import { listModerated, type ModeratedComment } from '../../postgres/moderation/queue.ts'
import type { Context } from '../context.ts'

/** An appeal with all that its answer needs. */
export type ModeratedAppeal = Appeal & {
  readonly about: ModeratedComment
  /** The decision that is appealed against; null: no person made one. */
  readonly decision: Decision | null
}

type Request = {
  siteId: number
  state: 'waiting' | 'answered'
  afterId: number | null
  limit: number
}

/** The appeals that wait, the oldest first, or those that were answered, the latest answer first. */
export const listAppeals = async (
  context: Context,
  request: Request,
): Promise<{ items: ModeratedAppeal[]; nextId: number | null }> => {
  const { siteId, limit } = request
  const rows = await runQuery(findAppeals(context.db, request))
  const appeals = rows.slice(0, limit)
  const keys = appeals.map(({ comment }) => comment)
  const ids = appeals.flatMap(({ decisionId }) => decisionId ?? [])
  const comments = byId(await runQuery(listModerated(context.db, siteId, keys)))
  const decisions = byId(await runQuery(findDecisions(context.db, siteId, ids)))
  const items = appeals.flatMap((appeal) => {
    const about = comments.get(appeal.comment.id)
    const decision = decisions.get(appeal.decisionId ?? 0) ?? null
    // A comment that is moved at this moment is not where it was.
    return about ? [{ ...appeal, about, decision }] : []
  })
  return { items, nextId: rows.length > appeals.length ? appeals.at(-1)!.id : null }
}

const byId = <T extends { readonly id: number }>(items: readonly T[]): ReadonlyMap<number, T> =>
  new Map(items.map((item) => [item.id, item]))
