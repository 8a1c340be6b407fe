import type { Thread } from '../../domain/comment.ts'
import type { Page } from '../../domain/page-store.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import type { Position, Sort } from '../../domain/sort.ts'
import { growTree, type TreePage } from '../../domain/tree.ts'
import { findTreePage } from '../../postgres/pages.ts'
import type { World } from '../world.ts'
import { findCurrentThread, findVersionedPage, type Reading } from './versioned-page.ts'

export type RepliesRequest = Reading & {
  readonly site: Site
  readonly comment: CommentKey
  readonly sort: Sort
  readonly after: Position | null
  readonly limit: number
  readonly depth: number
  readonly replies: number
}

export type RepliesPage = { readonly thread: Thread } & TreePage

/** One page of the direct replies to a comment that is shown; `depth` counts from them. */
export const listReplies = async (
  world: World,
  request: RepliesRequest,
  present: (page: RepliesPage) => Page,
): Promise<Page> => {
  const { site, comment, atLeast } = request
  const siteId = site.id
  const current = await findCurrentThread(world, { siteId, id: comment.threadId }, atLeast)
  if (!current) throw new Refusal('not_found')
  const read = () => readReplies(world, request)
  return findVersionedPage(world, current, { ...request, siteId }, { read, present })
}

const readReplies = async (world: World, request: RepliesRequest): Promise<RepliesPage> => {
  const { site, comment, sort, after, limit, depth, replies } = request
  const parent = { threadId: comment.threadId, commentId: comment.id }
  const found = await findTreePage(world.db, {
    siteId: site.id,
    parent,
    sort,
    after,
    limit,
    depth,
    replies,
  })
  if (!found) throw new Refusal('not_found')
  return { thread: found.thread, ...growTree(found.rows, { parentId: comment.id, limit }) }
}
