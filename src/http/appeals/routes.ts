import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { readAppealId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { answerAppeal } from '../../usecases/appeals/answer-appeal.ts'
import { appealDecision } from '../../usecases/appeals/appeal-decision.ts'
import { getStatement } from '../../usecases/appeals/get-statement.ts'
import { listAppeals } from '../../usecases/appeals/list-appeals.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite, threadVersion } from '../edge/responses.ts'
import { withComment } from '../wire/comment-key.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentAppealState, presentModeratedAppeal, presentStatement } from './present.ts'
import { AppealState, AppealsPage, NewAnswer, NewAppeal, Statement } from './schemas.ts'

const GET_STATEMENT = op.operation({
  id: 'getStatement',
  tag: 'reading',
  summary: 'Why your comment stands as it does',
  description:
    'The statement of reasons, for the author alone: whether rules or people decided, on what ground ' +
    'and when, and what became of an appeal.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(Statement) },
  credential: 'needed',
  limit: 'read',
})

const APPEAL_DECISION = op.operation({
  id: 'appealDecision',
  tag: 'writing',
  summary: 'Ask that somebody else looks again',
  description:
    'By the author, once for each comment, when it was removed, or held by a moderator; what rules or ' +
    'readers hold, once it has waited for a day. `decision_conflict` when there is nothing to appeal ' +
    'against, or no second time.',
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
  tag: 'moderating',
  summary: 'Appeals of authors',
  description:
    'Those that wait, the oldest first; or those that were answered, the latest answer first.',
  params: object(op.siteParams),
  query: object({
    state: oneOf(['waiting', 'answered'], { default: 'waiting', description: 'Which of them.' }),
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
  tag: 'moderating',
  summary: 'Answer an appeal',
  description:
    'For good, and by somebody else than whoever made the decision or wrote the comment: keys count ' +
    'as persons. Of two who answer one succeeds.',
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
    const { site, caller } = request
    return withComment(context, request, async (comment) => {
      const statement = await getStatement(context, { site, caller, comment })
      return sendPrivately(reply, presentStatement(comment, statement))
    })
  })

  app.post('/sites/:site/comments/:id/appeals', APPEAL_DECISION, async (request, reply) => {
    const { site, caller, body } = request
    const appeal = { text: body.text, claim: readIdempotencyKey(request) }
    const answer = await withComment(context, request, (comment) =>
      appealDecision(context, { site, caller, comment, ...appeal }, (appealed) => ({
        status: 201,
        headers: {},
        body: presentAppealState(appealed),
      })),
    )
    return sendWrite(reply, answer)
  })

  app.get('/sites/:site/moderation/appeals', LIST_APPEALS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { state, limit, cursor } = request.query
    const siteId = request.site.id
    const binding = ['appeals', siteId, state]
    const afterId = readIdCursor(keys().cursors, binding, cursor)
    const { items, nextId } = await listAppeals(context, { siteId, state, afterId, limit })
    return sendPrivately(reply, {
      items: items.map(presentModeratedAppeal),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })

  app.post('/sites/:site/moderation/appeals/:id/answers', ANSWER_APPEAL, async (request, reply) => {
    const { site, caller, params, body } = request
    assertScope(caller, 'moderate')
    const appealId = readAppealId(params.id)
    if (appealId === undefined) throw new Refusal('not_found')
    const { outcome, note = null } = body
    const act = {
      site,
      moderator: caller,
      appealId,
      outcome,
      note,
      claim: readIdempotencyKey(request),
    }
    const answer = await answerAppeal(context, act, ({ appeal, version }) => ({
      status: 201,
      headers: threadVersion(version),
      body: presentAppealState(appeal),
    }))
    return sendWrite(reply, answer)
  })
}
