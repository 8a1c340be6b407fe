import { Readable } from 'node:stream'
import { assertScope, callerIdOf } from '../../domain/people/caller.ts'
import { exportSite } from '../../usecases/exporting/export-site.ts'
import { writeLines } from '../../usecases/exporting/write-lines.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { createSiteSlots } from '../edge/site-slots.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { ExportLine } from './schemas.ts'

const EXPORT_SITE = op.operation({
  id: 'exportSite',
  tag: 'Administration',
  summary: 'Export a site',
  description:
    'Administrators may read everything that another Afterword needs to continue the site, as JSON ' +
    'lines of one moment; `docs/export.md` describes each kind of line. Keys, secrets and addresses ' +
    'are not in it. The audit log records each export. A site can run two at the same time.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: {
    200: {
      description: 'Lines of JSON.',
      content: { 'application/x-ndjson': { schema: ref(ExportLine) } },
    } as never,
  },
  refusals: ['site_busy'],
  credential: 'needed',
  limit: 'export',
})

export const addExportRoutes = (app: Router, { context }: Http): void => {
  const takeSlot = createSiteSlots()

  app.get('/sites/:site/export', EXPORT_SITE, async (request, reply) => {
    const { site, caller: administrator } = request
    assertScope(administrator, 'admin')
    takeSlot(request, reply)
    const lines = await exportSite(context, { site, by: callerIdOf(administrator) })
    reply.header('content-disposition', `attachment; filename="${site.slug}.jsonl"`)
    reply.type('application/x-ndjson; charset=utf-8')
    return sendPrivately(reply, Readable.from(writeLines(lines)))
  })
}
