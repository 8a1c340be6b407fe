import { Type } from 'typebox'
import { SORTS } from '../../domain/comment/sort.ts'
import { listReplies, type RepliesPage } from '../../usecases/reading/list-replies.ts'
import type { Http } from '../edge/request-context.ts'
import { sendRead, toPage, variantOf, versionTag } from '../edge/responses.ts'
import { withComment } from '../wire/comment-key.ts'
import { nameOfPlace, readSortedCursor, writeSortedCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentBranches, replyCursor } from './present.ts'
import { RepliesPage as RepliesPageOnWire } from './schemas.ts'

export const sortParam = {
  sort: Type.Optional(
    oneOf(SORTS, {
      description:
        'The order at every level; the first that the site has, unless the cursor brings its own. ' +
        'Whatever is voted meanwhile, a walk shows each comment once. After 500 shown comments the ' +
        'rest of a ranked list comes oldest first.',
    }),
  ),
}

export const treeParams = {
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

export const addReplyRoutes = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/comments/:id/replies', LIST_REPLIES, async (request, reply) => {
    const { cursor, sort: asked, at_least: atLeast, ...limits } = request.query
    const { site, ids, caller, params } = request
    const siteId = site.id
    const binding = ['replies', siteId, params.id]
    const { sort, after } = readSortedCursor(keys().cursors, binding, {
      sort: asked,
      sorts: site.sorts,
      cursor,
    })
    const place = nameOfPlace(after)
    const variant = variantOf(http, site, ['listReplies', params.id, sort, place, limits])
    const position = { sort, after, ...limits, atLeast, variant }
    const named = { site, ids, caller, params }
    return sendRead(request, reply, (encoding) =>
      withComment(context, named, (comment) =>
        listReplies(context, { site, caller, comment, ...position, encoding }, presentPage),
      ),
    )

    function presentPage(found: RepliesPage) {
      const next =
        found.next && writeSortedCursor(keys().cursors, binding, { sort, after: found.next })
      const items = presentBranches(ids, found.items, replyCursor(keys().cursors, siteId, sort))
      return toPage(versionTag(found.thread.version, variant), next, { items, next_cursor: next })
    }
  })
}
