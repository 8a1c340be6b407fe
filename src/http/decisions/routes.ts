import { type Static, Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { readBatchId, readDecisionId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { BatchResult } from '../../usecases/batches/batches.ts'
import { getBatch, listBatches } from '../../usecases/batches/batches.ts'
import { decideMany } from '../../usecases/batches/decide-many.ts'
import { dryRunDecisions } from '../../usecases/batches/dry-run-decisions.ts'
import { undoBatch } from '../../usecases/batches/undo-batch.ts'
import { lockComment, pinComment } from '../../usecases/decisions/marks.ts'
import { undoDecision } from '../../usecases/undo/undo-decision.ts'
import { presentDecision } from '../comments/present.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite, threadVersion, type WriteResponse } from '../edge/responses.ts'
import { Decision } from '../queue/schemas.ts'
import { changingComment, readCommentKeys } from '../wire/comment-key.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { readCommentFilter } from './comment-filter.ts'
import {
  presentBatch,
  presentBatchResult,
  presentDryRun,
  presentLock,
  presentPin,
} from './present.ts'
import {
  Batch,
  BatchesPage,
  BatchResult as BatchResultOnWire,
  Lock,
  NewDecisions,
  NewLock,
  NewPin,
  Pin,
} from './schemas.ts'

const moderating = { tag: 'Moderation', credential: 'needed' } as const
const deciding = { ...moderating, query: op.NO_QUERY, limit: 'write', once: true } as const

const BATCH_ANSWERS = { 200: ref(BatchResultOnWire), 202: ref(BatchResultOnWire) }
const batchParams = object({
  ...op.siteParams,
  id: Type.String({ description: 'The id of the batch.' }),
})

const DECIDE_MANY = op.operation({
  ...deciding,
  id: 'decideMany',
  summary: 'Change the status of many comments',
  description:
    'Applies one decision to listed comments, or to all that match a filter: up to 500 ' +
    'immediately (200, with an outcome for each), more as a batch (202). Comments that have ' +
    'changed meanwhile are skipped as `decision_conflict`.',
  params: object(op.siteParams),
  body: ref(NewDecisions),
  answers: BATCH_ANSWERS,
  refusals: ['decision_conflict', 'move_not_allowed'],
})

const UNDO_DECISION = op.operation({
  ...deciding,
  id: 'undoDecision',
  summary: 'Undo a decision',
  description:
    'Restores the comment (and replies changed with it), the thread settings or the ban, unless ' +
    'something changed since (`decision_conflict`). The undo is itself a decision and can be ' +
    'undone.',
  params: object({ ...op.siteParams, id: Type.String({ description: 'The id of the decision.' }) }),
  body: op.NO_BODY,
  answers: { 201: ref(Decision) },
  refusals: ['decision_conflict', 'move_not_allowed'],
})

const UNDO_BATCH = op.operation({
  ...deciding,
  id: 'undoBatch',
  summary: 'Undo a batch',
  description:
    'Undoes each decision of a finished batch. Comments that changed since are skipped, and more ' +
    'than 500 become a new batch (202).',
  params: batchParams,
  body: op.NO_BODY,
  answers: BATCH_ANSWERS,
  refusals: ['decision_conflict', 'move_not_allowed'],
})

const LIST_BATCHES = op.operation({
  ...moderating,
  id: 'listBatches',
  summary: 'List batches of decisions',
  description:
    'Moderators may list bulk decisions, undos and rejudgements with their progress, latest ' +
    'first.',
  params: object(op.siteParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(BatchesPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const GET_BATCH = op.operation({
  ...moderating,
  id: 'getBatch',
  summary: 'Get the progress of a batch',
  description:
    'Returns how many comments are done and what the outcomes are. A hidden comment is counted ' +
    'only once no reader can see it any more.',
  params: batchParams,
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(Batch) },
  limit: 'read',
})

const PIN_COMMENT = op.operation({
  ...deciding,
  id: 'pinComment',
  summary: 'Pin or unpin a comment',
  description:
    'Sets `pinned` and returns it. Pinning does not change the sort order: the page decides where ' +
    'to show pinned comments.',
  params: object(op.commentParams),
  body: ref(NewPin),
  answers: { 200: ref(Pin) },
})

const LOCK_COMMENT = op.operation({
  ...deciding,
  id: 'lockComment',
  summary: 'Lock or unlock a branch',
  description:
    'Locks a comment and all replies below it: no new replies, no votes, and no edits by authors.',
  params: object(op.commentParams),
  body: ref(NewLock),
  answers: { 200: ref(Lock) },
})

export const addDecidingRoutes = (app: Router, { context, keys }: Http): void => {
  app.post('/sites/:site/moderation/decisions', DECIDE_MANY, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'moderate')
    const { from, to, reason = null, note = null, replies = 'keep' } = body
    const order = { from, to, reason, note, replies, ...readComments(body) }
    const act = { site, moderator: caller, ...order, claim: readIdempotencyKey(request) }
    if (body.dry_run)
      return sendPrivately(reply, presentDryRun(await dryRunDecisions(context, act)))
    return sendWrite(reply, await decideMany(context, act, toAnswer))
  })

  app.post('/sites/:site/moderation/decisions/:id/undos', UNDO_DECISION, async (request, reply) => {
    const { site, caller, params } = request
    assertScope(caller, 'moderate')
    const decisionId = known(readDecisionId(params.id))
    const act = { site, moderator: caller, decisionId, claim: readIdempotencyKey(request) }
    const answer = await undoDecision(context, act, ({ decision, version }) => ({
      status: 201,
      headers: threadVersion(version),
      body: presentDecision(decision),
    }))
    return sendWrite(reply, answer)
  })

  app.get('/sites/:site/moderation/batches', LIST_BATCHES, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { site, query } = request
    const binding = ['batches', site.id]
    const beforeId = readIdCursor(keys().cursors, binding, query.cursor)
    const { items, nextId } = await listBatches(context, { site, beforeId, limit: query.limit })
    return sendPrivately(reply, {
      items: items.map(presentBatch),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })

  app.get('/sites/:site/moderation/batches/:id', GET_BATCH, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const batch = await getBatch(context, request.site, known(readBatchId(request.params.id)))
    return sendPrivately(reply, presentBatch(batch))
  })

  app.post('/sites/:site/moderation/batches/:id/undos', UNDO_BATCH, async (request, reply) => {
    const { site, caller, params } = request
    assertScope(caller, 'moderate')
    const batchId = known(readBatchId(params.id))
    const act = { site, moderator: caller, batchId, claim: readIdempotencyKey(request) }
    return sendWrite(reply, await undoBatch(context, act, toAnswer))
  })

  app.put('/sites/:site/comments/:id/pin', PIN_COMMENT, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'moderate')
    const act = { site, moderator: caller, is: body.pinned, claim: readIdempotencyKey(request) }
    const answer = await changingComment(context, request, (comment) =>
      pinComment(context, { ...act, comment }, (decided) => ({
        status: 200,
        headers: threadVersion(decided.version),
        body: presentPin(decided),
      })),
    )
    return sendWrite(reply, answer)
  })

  app.put('/sites/:site/comments/:id/lock', LOCK_COMMENT, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'moderate')
    const act = { site, moderator: caller, is: body.locked, claim: readIdempotencyKey(request) }
    const answer = await changingComment(context, request, (comment) =>
      lockComment(context, { ...act, comment }, (decided) => ({
        status: 200,
        headers: threadVersion(decided.version),
        body: presentLock(decided),
      })),
    )
    return sendWrite(reply, answer)
  })
}

/** Done, or still to be done. */
const toAnswer = (result: BatchResult): WriteResponse => ({
  status: result.batch.endedAt === null ? 202 : 200,
  headers: {},
  body: presentBatchResult(result),
})

const known = (id: number | undefined): number => {
  if (id === undefined) throw new Refusal('not_found')
  return id
}

/** Either ids, or a filter with the number of comments that it is expected to find. */
const readComments = (body: Static<typeof NewDecisions>) => {
  const { comment_ids: ids, filter, expected_count: expectedCount, dry_run: isDryRun } = body
  if ((ids === undefined) === (filter === undefined))
    throw new Refusal('invalid_request', { '': 'must have either comment_ids or filter' })
  if (ids) return { comments: readCommentKeys('/comment_ids', ids), expectedCount }
  if (expectedCount === undefined && !isDryRun)
    throw new Refusal('invalid_request', { '/expected_count': 'is required with a filter' })
  return { comments: readCommentFilter(filter!, '/filter'), expectedCount }
}
