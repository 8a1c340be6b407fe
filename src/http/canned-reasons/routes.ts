import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  type CannedReason,
  createCannedReason,
  deleteCannedReason,
  listCannedReasons,
  updateCannedReason,
} from '../../usecases/administering/canned-reasons.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import { readReasonFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import {
  CannedReasonChange,
  CannedReasonsPage,
  NewCannedReason,
  CannedReason as ReasonOnWire,
} from './schemas.ts'

const administering = {
  tag: 'Administration',
  credential: 'needed',
  query: op.NO_QUERY,
  limit: 'write',
  once: true,
} as const

const reasonParams = object({
  ...op.siteParams,
  id: Type.String({ description: 'The id of the reason.' }),
})

const LIST_CANNED_REASONS = op.operation({
  id: 'listCannedReasons',
  tag: 'Moderation',
  summary: 'List canned reasons',
  description:
    "Moderators may list the site's prepared reasons and notes, oldest first. To use one, copy " +
    'its `reason` and `note` into a decision.',
  params: object(op.siteParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(CannedReasonsPage) },
  refusals: ['invalid_cursor'],
  credential: 'needed',
  limit: 'read',
})

const CREATE_CANNED_REASON = op.operation({
  ...administering,
  id: 'createCannedReason',
  summary: 'Create a canned reason',
  description: 'Administrators may create one. A site can have at most 100.',
  params: object(op.siteParams),
  body: ref(NewCannedReason),
  answers: { 201: ref(ReasonOnWire) },
})

const UPDATE_CANNED_REASON = op.operation({
  ...administering,
  id: 'updateCannedReason',
  summary: 'Update a canned reason',
  description:
    'Administrators may change it; only the fields sent change. Decisions that used it keep their ' +
    'wording.',
  params: reasonParams,
  body: ref(CannedReasonChange),
  answers: { 200: ref(ReasonOnWire) },
})

const DELETE_CANNED_REASON = op.operation({
  ...administering,
  id: 'deleteCannedReason',
  summary: 'Delete a canned reason',
  description: 'Administrators may delete it. Decisions that used it keep their wording.',
  params: reasonParams,
  body: op.NO_BODY,
  answers: { 204: NOTHING },
})

const REASONS_PATH = '/sites/:site/moderation/canned-reasons'

export const addCannedReasonRoutes = (app: Router, http: Http): void => {
  addListCannedReasons(app, http)
  addCannedReasonChanges(app, http)
}

const addListCannedReasons = (app: Router, { context, keys }: Http): void => {
  app.get(REASONS_PATH, LIST_CANNED_REASONS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { limit, cursor } = request.query
    const siteId = request.site.id
    const binding = ['reasons', siteId]
    const afterId = readIdCursor(keys().cursors, binding, cursor) ?? 0
    const { items, nextId } = await listCannedReasons(context, { siteId, afterId, limit })
    return sendPrivately(reply, {
      items: items.map((reason) => presentReason(request.ids, reason)),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })
}

const addCannedReasonChanges = (app: Router, { context }: Http): void => {
  app.post(REASONS_PATH, CREATE_CANNED_REASON, async (request, reply) => {
    const { site, ids, caller: administrator, body } = request
    assertScope(administrator, 'admin')
    const fields = readReasonFields(body)
    const act = { site, administrator, fields, idempotencyKey: readIdempotencyKey(request) }
    const answer = await createCannedReason(context, act, (reason) => ({
      status: 201,
      headers: {},
      body: presentReason(ids, reason),
    }))
    return sendWrite(reply, answer)
  })

  app.patch(`${REASONS_PATH}/:id`, UPDATE_CANNED_REASON, async (request, reply) => {
    const { site, ids, caller: administrator, body, params } = request
    assertScope(administrator, 'admin')
    const change = readReasonFields(body)
    const act = {
      site,
      administrator,
      id: readId(ids, params.id),
      change,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await updateCannedReason(context, act, (reason) => ({
      status: 200,
      headers: {},
      body: presentReason(ids, reason),
    }))
    return sendWrite(reply, answer)
  })

  app.delete(`${REASONS_PATH}/:id`, DELETE_CANNED_REASON, async (request, reply) => {
    const { site, ids, caller: administrator, params } = request
    assertScope(administrator, 'admin')
    const act = {
      site,
      administrator,
      id: readId(ids, params.id),
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await deleteCannedReason(context, act, () => ({
      status: 204,
      headers: {},
      body: null,
    }))
    return sendWrite(reply, answer)
  })
}

const presentReason = (ids: PublicIds, { id, title, reason, note }: CannedReason) => ({
  id: ids.write('reason', id),
  title,
  reason,
  note,
})

const readId = (ids: PublicIds, text: string): number => {
  const id = ids.read('reason', text)
  if (id === undefined) throw new Refusal('not_found')
  return id
}
