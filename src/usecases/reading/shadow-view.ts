import { createShadowView, type ShadowView } from '../../domain/comment/shadow-view.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import type { Caller } from '../../domain/people/caller.ts'
import type { Site } from '../../domain/site/site.ts'
import { findShadowed } from '../../postgres/comments/shadowed.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

type Request = {
  readonly site: Site
  readonly caller: Caller
  readonly sort?: Sort
}

type NamedThread = { readonly articleId: string } | { readonly id: number }

/**
 * Returns the thread as the author of shadowed comments sees it; undefined for other callers, for whom
 * no query runs. The view is never cached, so that it always shows the version its reader knows of.
 */
export const findShadowView = (
  context: Context,
  request: Request,
  thread: NamedThread,
): Promise<ShadowView | undefined> | undefined => {
  const { caller } = request
  if (!('authorId' in caller) || caller.hasShadowed !== true) return undefined
  return loadShadowView(context, { ...request, authorId: caller.authorId, thread })
}

const loadShadowView = async (
  { db }: Context,
  { site, authorId, thread, sort = 'newest' }: Request & { authorId: number; thread: NamedThread },
): Promise<ShadowView | undefined> => {
  const found = await runQuery(findShadowed(db, { siteId: site.id, authorId, thread, sort }))
  if (!found || found.rows.length === 0) return undefined
  const view = createShadowView(found.thread, found.rows)
  return view.own.length === 0 && found.thread.version === 0 ? undefined : view
}
