import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { answerAppeal } from '../../usecases/appeals/answer-appeal.ts'
import { appealDecision, listAppeals } from '../../usecases/appeals/appeals.ts'
import { getStatement } from '../../usecases/appeals/statements.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite, threadVersion } from '../edge/responses.ts'
import { withComment } from '../wire/comment-key.ts'
import { readCursor, writeCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentAppealState, presentModeratedAppeal, presentStatement } from './present.ts'
import { AppealState, AppealsPage, NewAnswer, NewAppeal, Statement } from './schemas.ts'

const GET_STATEMENT = op.operation({
  id: 'getStatement',
  tag: 'Reading',
  isAlwaysOpen: true,
  summary: 'Explain the status of your comment',
  description:
    'Returns the statement of reasons: whether rules, readers or a moderator decided, on what ' +
    "ground, when, and the state of an appeal. Only the comment's author may call it; others get " +
    '`forbidden` if the comment is public, otherwise `not_found`.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(Statement) },
  credential: 'needed',
  limit: 'read',
})

const APPEAL_DECISION = op.operation({
  id: 'appealDecision',
  tag: 'Posting',
  summary: 'Appeal against a decision',
  description:
    'The author may appeal against a decision: immediately if a moderator removed or held it, or ' +
    'after 24 hours if rules or flags hold it. Returns `decision_conflict` if there is nothing to ' +
    'appeal, or an appeal was already made.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(NewAppeal),
  answers: { 201: ref(AppealState) },
  refusals: ['decision_conflict'],
  credential: 'needed',
  limit: 'write',
  once: true,
})

const LIST_APPEALS = op.operation({
  id: 'listAppeals',
  tag: 'Moderation',
  summary: 'List appeals',
  description:
    'Moderators may list open appeals, oldest first, or answered ones, latest answer first.',
  params: object(op.siteParams),
  query: object({
    status: oneOf(['waiting', 'answered'], { default: 'waiting', description: 'Which of them.' }),
    ...op.limitParam,
    ...op.cursorParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(AppealsPage) },
  refusals: ['invalid_cursor'],
  credential: 'needed',
  limit: 'read',
})

const ANSWER_APPEAL = op.operation({
  id: 'answerAppeal',
  tag: 'Moderation',
  summary: 'Answer an appeal',
  description:
    'A moderator other than the author and whoever decided may uphold or overturn the decision; ' +
    'each key counts as one person. Overturning publishes the named `revision`. The answer is final: of two answers at the same time, one ' +
    'fails with `decision_conflict`.',
  params: object({
    ...op.siteParams,
    id: Type.String({ description: 'The id of the appeal.' }),
  }),
  query: op.NO_QUERY,
  body: ref(NewAnswer),
  answers: { 201: ref(AppealState) },
  refusals: ['decision_conflict', 'move_not_allowed'],
  credential: 'needed',
  limit: 'write',
  once: true,
})

export const addAppealRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/comments/:id/statement', GET_STATEMENT, async (request, reply) => {
    const { site, ids, caller } = request
    return withComment(context, request, async (comment) => {
      const statement = await getStatement(context, { site, caller, comment })
      return sendPrivately(reply, presentStatement(ids, comment, statement))
    })
  })

  app.post('/sites/:site/comments/:id/appeals', APPEAL_DECISION, async (request, reply) => {
    const { site, ids, caller, body } = request
    const appeal = { text: body.text, idempotencyKey: readIdempotencyKey(request) }
    const answer = await withComment(context, request, (comment) =>
      appealDecision(context, { site, caller, comment, ...appeal }, (appealed) => ({
        status: 201,
        headers: {},
        body: presentAppealState(ids, appealed),
      })),
    )
    return sendWrite(reply, answer)
  })

  app.get('/sites/:site/moderation/appeals', LIST_APPEALS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { status, limit, cursor } = request.query
    const siteId = request.site.id
    const binding = ['appeals', siteId, status]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const { items, next } = await listAppeals(context, { siteId, state: status, after, limit })
    return sendPrivately(reply, {
      items: items.map((appeal) => presentModeratedAppeal(request.ids, appeal)),
      next_cursor: next && writeCursor(keys().cursors, binding, { sort: '', after: next }),
    })
  })

  app.post('/sites/:site/moderation/appeals/:id/answers', ANSWER_APPEAL, async (request, reply) => {
    const { site, ids, caller, params, body } = request
    assertScope(caller, 'moderate')
    const appealId = ids.read('appeal', params.id)
    if (appealId === undefined) throw new Refusal('not_found')
    const { outcome, revision, note = null } = body
    const act = {
      site,
      moderator: caller,
      appealId,
      outcome,
      revision,
      note,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await answerAppeal(context, act, ({ appeal, version }) => ({
      status: 201,
      headers: threadVersion(version),
      body: presentAppealState(ids, appeal),
    }))
    return sendWrite(reply, answer)
  })
}
