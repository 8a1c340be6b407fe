import { runQuery } from '../../postgres/connection/transaction.ts'
import { listStaff as findStaff, type Staff } from '../../postgres/people/members.ts'
import type { Context } from '../context.ts'

/** Those who work for the site and are listed, in the order in which they came. */
export const listStaff = async (
  context: Context,
  request: { siteId: number; afterId: number; limit: number },
): Promise<{ items: Staff[]; nextId: number | null }> => {
  const rows = await runQuery(findStaff(context.db, request))
  const items = rows.slice(0, request.limit)
  return { items, nextId: rows.length > items.length ? items.at(-1)!.id : null }
}
