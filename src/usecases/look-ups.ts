import { createBatcher } from '../domain/batcher.ts'
import { withDeadline } from '../domain/deadline.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Db } from '../postgres/connection/db.ts'
import { runQuery } from '../postgres/connection/transaction.ts'
import { type FoundGuest, findGuests } from '../postgres/people/authors.ts'
import { type FoundKey, findKeys } from '../postgres/service/keys.ts'
import {
  findMovedComments,
  type MovedComment,
  type MovedQuery,
} from '../postgres/threads/locations.ts'

/** A look-up can wait for the one before it, and the caller has a response within 3 s. */
const GIVE_UP_MS = 2_800

export type GuestQuery = { readonly siteId: number; readonly id: number }

/**
 * Look-ups that most writes make. Those that are asked in one turn of the event loop, or while one of their kind
 * runs, share the next statement, which begins after all of them.
 */
export type LookUps = {
  readonly findKey: (key: string) => Promise<FoundKey | undefined>
  readonly findGuest: (query: GuestQuery) => Promise<FoundGuest | undefined>
  readonly findMovedComment: (query: MovedQuery) => Promise<MovedComment | undefined>
}

export const createLookUps = (db: Db): LookUps => ({
  findKey: share(
    (keys) => findKeys(db, keys),
    (key) => key,
  ),
  findGuest: share(
    bySite((siteId, queries) =>
      findGuests(
        db,
        siteId,
        queries.map(({ id }) => id),
      ),
    ),
    ({ siteId, id }) => `${siteId} ${id}`,
  ),
  findMovedComment: share(
    bySite((siteId, queries) =>
      findMovedComments(
        db,
        siteId,
        queries.map(({ comment }) => comment),
      ),
    ),
    ({ siteId, comment: { threadId, homeThreadId, id } }) =>
      `${siteId} ${homeThreadId ?? threadId} ${id}`,
  ),
})

type Load<Query, Result> = (queries: readonly Query[]) => Promise<readonly Result[]>

const share = <Query, Result>(
  load: Load<Query, Result>,
  keyOf: (query: Query) => string,
): ((query: Query) => Promise<Result>) => {
  const loadInBatch = createBatcher((queries: readonly Query[]) => runQuery(load(queries)), keyOf)
  return (query) => withDeadline(GIVE_UP_MS, loadInBatch(query), () => new Refusal('unavailable'))
}

/** Loads the queries of each site with a statement of its own. */
const bySite =
  <Query extends { readonly siteId: number }, Result>(
    load: (siteId: number, queries: readonly Query[]) => Promise<readonly Result[]>,
  ): Load<Query, Result> =>
  async (queries) => {
    const results = new Map<Query, Result>()
    const sites = Map.groupBy(queries, ({ siteId }) => siteId)
    const loadSite = async ([siteId, ofSite]: [number, Query[]]) => {
      for (const [n, result] of (await load(siteId, ofSite)).entries())
        results.set(ofSite[n]!, result)
    }
    await Promise.all([...sites].map(loadSite))
    return queries.map((query) => results.get(query)!)
  }
