import { listStaff } from '../../usecases/reading/lists.ts'
import type { Http } from '../edge/request-context.ts'
import { encodingOf, sendPage, toHashedPage, variantOf } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentStaff } from './present.ts'
import { StaffPage } from './schemas.ts'

const LIST_STAFF = op.operation({
  id: 'listStaff',
  tag: 'Reading',
  summary: "List a site's public staff",
  description:
    'Anyone may call it; it returns the members that an administrator has chosen to list, with ' +
    'their roles. Having a role does not list a member by itself.',
  params: object(op.siteParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(StaffPage) },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

export const addStaffRoutes = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/staff', LIST_STAFF, async (request, reply) => {
    const { site, query } = request
    const { limit, cursor } = query
    const binding = ['staff', site.id]
    const afterId = readIdCursor(keys().cursors, binding, cursor) ?? 0
    const name = { site: site.id, variant: variantOf(http, site, [...binding, afterId, limit]) }
    const page = await context.lists.page(name, encodingOf(request), async () => {
      const { items, nextId } = await listStaff(context, { siteId: site.id, afterId, limit })
      const next = writeIdCursor(keys().cursors, binding, nextId)
      return toHashedPage(next, {
        items: items.map((staff) => presentStaff(request.ids, staff)),
        next_cursor: next,
      })
    })
    return sendPage(request, reply, page)
  })
}
