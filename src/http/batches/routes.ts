import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { getBatch, listBatches } from '../../usecases/batches/batches.ts'
import { undoBatch } from '../../usecases/batches/undo-batch.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentBatch, presentBatchResponse } from './present.ts'
import { Batch, BatchesPage, BatchResult as BatchResultOnWire } from './schemas.ts'

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const deciding = { ...moderating, query: op.NO_QUERY, limit: 'write', once: true } as const

const BATCH_ANSWERS = { 200: ref(BatchResultOnWire), 202: ref(BatchResultOnWire) }

const batchParams = object({
  ...op.siteParams,
  id: Type.String({ description: 'The id of the batch.' }),
})

const known = (id: number | undefined): number => {
  if (id === undefined) throw new Refusal('not_found')
  return id
}

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

export const addBatchRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/moderation/batches', LIST_BATCHES, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { site, ids, query } = request
    const binding = ['batches', site.id]
    const beforeId = readIdCursor(keys().cursors, binding, query.cursor)
    const { items, nextId } = await listBatches(context, { site, beforeId, limit: query.limit })
    return sendPrivately(reply, {
      items: items.map((batch) => presentBatch(ids, batch)),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })

  app.get('/sites/:site/moderation/batches/:id', GET_BATCH, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { site, ids, params } = request
    const batch = await getBatch(context, site, known(ids.read('batch', params.id)))
    return sendPrivately(reply, presentBatch(ids, batch))
  })

  app.post('/sites/:site/moderation/batches/:id/undos', UNDO_BATCH, async (request, reply) => {
    const { site, ids, caller, params } = request
    assertScope(caller, 'moderate')
    const batchId = known(ids.read('batch', params.id))
    const act = { site, moderator: caller, batchId, idempotencyKey: readIdempotencyKey(request) }
    return sendWrite(reply, await undoBatch(context, act, presentBatchResponse(ids)))
  })
}
