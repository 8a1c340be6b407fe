import type { CommentKey } from '../../domain/public-id.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import { type Decision, listDecisions as findDecisions } from '../../postgres/decisions.ts'
import type { World } from '../world.ts'

export type { Decision } from '../../postgres/decisions.ts'

type Request = {
  siteId: number
  on: CommentKey | undefined
  beforeId: number | null
  limit: number
}

/** The audit trail, latest first. */
export const listDecisions = async (
  world: World,
  request: Request,
): Promise<{ items: Decision[]; nextId: number | null }> => {
  const rows = await asking(findDecisions(world.db, request))
  const items = rows.slice(0, request.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
