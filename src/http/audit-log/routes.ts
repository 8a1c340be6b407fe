import { assertScope, assertServiceAdmin } from '../../domain/people/caller.ts'
import { listAudit } from '../../usecases/administering/audit.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentAuditEntry } from './present.ts'
import { AuditPage } from './schemas.ts'

const audit = {
  tag: 'Administration',
  credential: 'needed',
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(AuditPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
} as const

const LIST_AUDIT = op.operation({
  ...audit,
  id: 'listAudit',
  summary: "List a site's audit log",
  description:
    'Administrators may list changes to settings, keys and members, exports, erasures and redactions, ' +
    "latest first; entries never change. Moderators' decisions are not here but in " +
    '`listDecisions`.',
  params: object(op.siteParams),
})

const LIST_SERVICE_AUDIT = op.operation({
  ...audit,
  id: 'listServiceAudit',
  summary: 'List the whole audit log',
  description:
    'Service administrators may list audit entries of the service and of every site, latest ' +
    'first.',
  params: object({}),
})

export const addAuditRoutes = (app: Router, { context, keys }: Http): void => {
  const answer = async (
    siteId: number | undefined,
    { limit, cursor }: { limit: number; cursor?: string },
  ) => {
    const binding = ['audit', siteId]
    const beforeId = readIdCursor(keys().cursors, binding, cursor)
    const { items, nextId } = await listAudit(context, { siteId, beforeId, limit })
    return {
      items: items.map((entry) => presentAuditEntry(context.idsOf(entry.siteId), entry)),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    }
  }

  app.get('/sites/:site/audit', LIST_AUDIT, async (request, reply) => {
    assertScope(request.caller, 'admin')
    return sendPrivately(reply, await answer(request.site.id, request.query))
  })

  app.get('/audit', LIST_SERVICE_AUDIT, async (request, reply) => {
    assertServiceAdmin(request.caller)
    return sendPrivately(reply, await answer(undefined, request.query))
  })
}
