import { Type } from 'typebox'
import { SORTS } from '../../domain/comment/sort.ts'
import type { Continuation } from '../../domain/comment/tree.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { listReplies, type RepliesPage } from '../../usecases/reading/list-replies.ts'
import { getThread, listThread, type ThreadPage } from '../../usecases/reading/list-thread.ts'
import {
  presentAbsentThread,
  presentBranch,
  presentComment,
  presentThread,
} from '../comments/present.ts'
import { RepliesPage as RepliesPageOnWire } from '../comments/schemas.ts'
import type { Http } from '../edge/request-context.ts'
import {
  encodingOf,
  sendPage,
  toHashedPage,
  toPage,
  unconfirmed,
  variantOf,
  versionTag,
} from '../edge/responses.ts'
import { readCommentKey, withComment } from '../wire/comment-key.ts'
import { readSortedCursor, writeCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { Thread, ThreadPage as ThreadPageOnWire } from './schemas.ts'

const sortParam = {
  sort: Type.Optional(
    oneOf(SORTS, {
      description:
        'The order at every level; the first that the site has, unless the cursor brings its own.',
    }),
  ),
}
const treeParams = {
  depth: Type.Integer({
    minimum: 1,
    maximum: 10,
    default: 4,
    description: 'Levels shown, the first included.',
  }),
  replies: Type.Integer({
    minimum: 0,
    maximum: 50,
    default: 3,
    description: 'Replies shown per comment.',
  }),
}

const GET_THREAD = op.operation({
  id: 'getThread',
  tag: 'Reading',
  summary: "Get a thread's counts and state",
  description:
    'Anyone may call it; it returns comment counts, state and version. An article without a ' +
    'visible thread returns 200 with zeros and nulls, not 404.',
  params: object(op.articleParams),
  query: object(op.atLeastParam),
  body: op.NO_BODY,
  answers: { 200: ref(Thread) },
  credential: 'taken',
  limit: 'read',
})

const LIST_THREAD = op.operation({
  id: 'listThread',
  tag: 'Reading',
  summary: 'List the comments of an article',
  description:
    'Anyone may call it; it returns at most 500 comments and 2 MiB of text, as a tree or a flat ' +
    'list, with cursors for the rest. With `focus`, each list starts at the branch that contains ' +
    'that comment.',
  params: object(op.articleParams),
  query: object({
    view: oneOf(['tree', 'flat'], { default: 'tree', description: 'Flat views omit tombstones.' }),
    ...sortParam,
    ...op.limitParam,
    ...treeParams,
    ...op.cursorParam,
    focus: Type.Optional(
      Type.String({ description: 'A comment that the page must show. Tree only.' }),
    ),
    ...op.atLeastParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(ThreadPageOnWire) },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

const LIST_REPLIES = op.operation({
  id: 'listReplies',
  tag: 'Reading',
  summary: 'List the replies to a comment',
  description:
    'Anyone may call it; it returns a page of replies, starting at the first reply or at a ' +
    '`replies.next_cursor`. `depth` is counted from the first level of replies returned.',
  params: object(op.commentParams),
  query: object({
    ...sortParam,
    ...op.limitParam,
    ...treeParams,
    ...op.cursorParam,
    ...op.atLeastParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(RepliesPageOnWire) },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

export const addThreadRoutes = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/articles/:article_id', GET_THREAD, async (request, reply) => {
    const { article_id: articleId } = request.params
    const found = await getThread(context, {
      site: request.site,
      caller: request.caller,
      articleId,
      atLeast: request.query.at_least,
    })
    const body = found ? presentThread(found.thread) : presentAbsentThread(articleId, request.site)
    const page = toHashedPage(null, body)
    return sendPage(request, reply, found?.isConfirmed === false ? unconfirmed(page) : page)
  })

  app.get('/sites/:site/articles/:article_id/comments', LIST_THREAD, async (request, reply) => {
    const { article_id: articleId } = request.params
    const { view, cursor, sort: asked, focus, at_least: atLeast, ...limits } = request.query
    if (focus !== undefined && (cursor !== undefined || view === 'flat')) {
      throw new Refusal('invalid_request', { focus: 'goes with the first page of the tree only' })
    }
    const binding = ['thread', request.site.id, articleId, view]
    const { sort, after } = readSortedCursor(keys().cursors, binding, {
      sort: asked,
      sorts: request.site.sorts,
      cursor,
    })
    const focused = focus === undefined ? undefined : readCommentKey(focus)
    const variant = variantOf(http, request.site, ['listThread', view, sort, after, focus, limits])
    const position = { view, sort, after, focus: focused, ...limits }
    const page = await listThread(
      context,
      {
        site: request.site,
        caller: request.caller,
        articleId,
        ...position,
        atLeast,
        variant,
        encoding: encodingOf(request),
      },
      (found) => {
        const next = found.next && writeCursor(keys().cursors, binding, { sort, after: found.next })
        const body = {
          thread: presentThread(found.thread),
          items: presentItems(found),
          next_cursor: next,
        }
        return toPage(
          versionTag(found.thread.version, `${found.thread.state} ${variant}`),
          next,
          body,
        )
      },
    )
    return sendPage(request, reply, page ?? absentPage(articleId, request.site))

    function presentItems(found: ThreadPage) {
      if (found.view === 'flat') return found.items.map(presentComment)
      return found.items.map((branch) => presentBranch(branch, replyCursor(request.site.id, sort)))
    }
  })

  app.get('/sites/:site/comments/:id/replies', LIST_REPLIES, async (request, reply) => {
    const { cursor, sort: asked, at_least: atLeast, ...limits } = request.query
    const { id } = request.params
    const siteId = request.site.id
    const binding = ['replies', siteId, id]
    const { sort, after } = readSortedCursor(keys().cursors, binding, {
      sort: asked,
      sorts: request.site.sorts,
      cursor,
    })
    const variant = variantOf(http, request.site, ['listReplies', id, sort, after, limits])
    const position = { sort, after, ...limits, atLeast, variant, encoding: encodingOf(request) }
    const page = await withComment(context, request, (comment) =>
      listReplies(
        context,
        { site: request.site, caller: request.caller, comment, ...position },
        presentPage,
      ),
    )
    return sendPage(request, reply, page)

    function presentPage(found: RepliesPage) {
      const next = found.next && writeCursor(keys().cursors, binding, { sort, after: found.next })
      const items = found.items.map((branch) => presentBranch(branch, replyCursor(siteId, sort)))
      return toPage(versionTag(found.thread.version, variant), next, { items, next_cursor: next })
    }
  })

  const replyCursor =
    (siteId: number, sort: string) =>
    (commentId: string, next: Continuation): string | null =>
      next &&
      writeCursor(keys().cursors, ['replies', siteId, commentId], {
        sort,
        after: next === 'start' ? null : next,
      })
}

const absentPage = (articleId: string, site: Site) =>
  toHashedPage(null, { thread: presentAbsentThread(articleId, site), items: [], next_cursor: null })
