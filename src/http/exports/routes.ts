import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { assertScope, callerIdOf } from '../../domain/people/caller.ts'
import {
  EXPORT_FORMATS,
  type ExportFormat,
  writeExport,
} from '../../usecases/exporting/export-site.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { createSiteSlots } from '../edge/site-slots.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
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
  query: object({
    format: Type.Optional(
      oneOf(EXPORT_FORMATS, {
        description:
          '`jsonl` (the default) has everything. `wxr` is for WordPress, `disqus` for other systems: ' +
          'they have threads and comments.',
      }),
    ),
  }),
  body: op.NO_BODY,
  answers: {
    200: {
      description: 'Lines of JSON, or XML.',
      content: {
        'application/x-ndjson': { schema: ref(ExportLine) },
        'application/xml': { schema: Type.String() },
      },
    } as never,
  },
  refusals: ['site_busy'],
  credential: 'needed',
  limit: 'export',
})

const FILES: Readonly<Record<ExportFormat, readonly [ending: string, type: string]>> = {
  jsonl: ['.jsonl', 'application/x-ndjson'],
  wxr: ['.wxr.xml', 'application/xml'],
  disqus: ['.disqus.xml', 'application/xml'],
}

export const addExportRoutes = (app: Router, { context }: Http): void => {
  const takeSlot = createSiteSlots()

  app.get('/sites/:site/export', EXPORT_SITE, async (request, reply) => {
    const { site, caller: administrator } = request
    assertScope(administrator, 'admin')
    takeSlot(request, reply)
    const { format = 'jsonl' } = request.query
    const pieces = await writeExport(context, { site, by: callerIdOf(administrator), format })
    const [ending, type] = FILES[format]
    reply.header('content-disposition', `attachment; filename="${site.slug}${ending}"`)
    reply.type(`${type}; charset=utf-8`)
    return sendPrivately(reply, Readable.from(pieces))
  })
}
