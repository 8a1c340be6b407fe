import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { DECISION_ACTIONS } from '../../domain/moderation/decision.ts'
import { assertScope } from '../../domain/people/caller.ts'
import { listDecisions } from '../../usecases/queue/moderation-log.ts'
import { presentDecision } from '../decisions/present.ts'
import { DecisionsPage } from '../decisions/schemas.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import { readTime } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { readDoer } from '../wire/stored-ids.ts'

const idOf = (description: string) => Type.Optional(Type.String({ description }))

const timeOf = (description: string) =>
  Type.Optional(Type.String({ format: 'date-time', description }))

const LIST_DECISIONS = op.operation({
  id: 'listDecisions',
  tag: 'Moderation',
  summary: 'List the moderation log',
  description:
    'Returns who changed what, when and why, latest first; entries are never changed or removed. ' +
    'With filters, a page can be short or empty and still have a `next_cursor`.',
  params: object(op.siteParams),
  query: object({
    comment_id: idOf('Only on this comment.'),
    article_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_ARTICLE_ID,
        description: 'Only in this article.',
      }),
    ),
    author_id: idOf('Only on this author, and on what it wrote.'),
    by: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: 'Only by this key or member, or `rules`, or `flags`.',
      }),
    ),
    action: Type.Optional(oneOf(DECISION_ACTIONS, { description: 'Only of this kind.' })),
    batch_id: idOf('Only of this batch.'),
    since: timeOf('Only from this time on.'),
    until: timeOf('Only before this time.'),
    ...op.limitParam,
    ...op.cursorParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(DecisionsPage) },
  refusals: ['invalid_cursor'],
  credential: 'needed',
  limit: 'read',
})

/** An id that does not exist matches no decision, and a malformed id is treated the same. */
const NO_COMMENT = { threadId: 0, id: 0 }

export const addModerationLogRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/moderation/decisions', LIST_DECISIONS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { limit, cursor, comment_id: comment, batch_id: batch, ...query } = request.query
    const { author_id: author, article_id: articleId, by, action } = query
    const { ids } = request
    const siteId = request.site.id
    const span = {
      ...(query.since !== undefined && { since: readTime('since', query.since) }),
      ...(query.until !== undefined && { until: readTime('until', query.until) }),
    }
    const binding = ['decisions', siteId, comment, batch, author, articleId, by, action, span]
    const filter = {
      ...(comment !== undefined && { comment: ids.readComment(comment) ?? NO_COMMENT }),
      ...(batch !== undefined && { batchId: ids.read('batch', batch) ?? 0 }),
      ...(author !== undefined && { authorId: ids.read('author', author) ?? 0 }),
      articleId,
      by: by === undefined ? undefined : readDoer(ids, by),
      action,
      ...span,
    }
    const beforeId = readIdCursor(keys().cursors, binding, cursor)
    const { items, nextId } = await listDecisions(context, { siteId, ...filter, beforeId, limit })
    return sendPrivately(reply, {
      items: items.map((decision) => presentDecision(ids, decision)),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })
}
