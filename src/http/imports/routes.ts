import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { UNAPPROVED } from '../../domain/importing/import.ts'
import { IMPORT_FORMATS } from '../../domain/importing/records.ts'
import { assertScope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  cancelImport,
  getImport,
  listImports,
  startImport,
} from '../../usecases/importing/imports.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref, textOf } from '../wire/schema-parts.ts'
import { presentImport } from './present.ts'
import { Import, ImportsPage } from './schemas.ts'
import { writeReportPage } from './write-report-page.ts'

const administering = { tag: 'Administration', credential: 'needed' } as const
const MAX_ORIGIN_LENGTH = 200
const HOUR_MS = 3_600_000

const importParams = object({
  ...op.siteParams,
  id: Type.String({ description: 'The id of the import.' }),
})

const START_IMPORT = op.operation({
  ...administering,
  id: 'startImport',
  summary: 'Import comments from a file',
  description:
    'Administrators may send an export of another comment system, or of this service, as the body. ' +
    'The service finds out the format, stores the file, and imports it in the background: follow the ' +
    'import at `Location`. An import that runs again stores nothing twice.',
  params: object(op.siteParams),
  query: object({
    dry_run: Type.Boolean({
      default: false,
      description: 'Reports what the import would do, and changes nothing.',
    }),
    unapproved: oneOf(UNAPPROVED, {
      default: 'keep',
      description: 'Whether comments that the other system did not show are kept.',
    }),
    format: Type.Optional(oneOf(IMPORT_FORMATS, { description: 'Missing: the file tells.' })),
    origin: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_ORIGIN_LENGTH,
        description: 'The system that the ids of the file belong to. Missing: the file tells.',
      }),
    ),
  }),
  body: op.NO_BODY,
  answers: { 202: ref(Import) },
  refusals: ['site_busy'],
  limit: 'write',
})

const LIST_IMPORTS = op.operation({
  ...administering,
  id: 'listImports',
  summary: 'List imports of a site',
  description: 'Administrators may list imports with their reports, latest first.',
  params: object(op.siteParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(ImportsPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const GET_IMPORT = op.operation({
  ...administering,
  id: 'getImport',
  summary: 'Get the progress of an import',
  description: 'Administrators may read what an import did so far, and its report when it ended.',
  params: importParams,
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(Import) },
  limit: 'read',
})

const GET_IMPORT_REPORT = op.operation({
  ...administering,
  id: 'getImportReport',
  summary: 'Get the report as a page',
  description: 'Administrators may read the report of an import as an HTML page.',
  params: importParams,
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: textOf('text/html', 'The report.') },
  limit: 'read',
})

const CANCEL_IMPORT = op.operation({
  ...administering,
  id: 'cancelImport',
  summary: 'Cancel an import',
  description:
    'Administrators may stop an import after the comments in progress. What is stored stays, and the ' +
    'same file continues it. An import that has ended stays as it is.',
  params: importParams,
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(Import) },
  limit: 'write',
})

export const addImportRoutes = (app: Router, { context, keys }: Http): void => {
  addUpload(app, context)

  app.get('/sites/:site/imports', LIST_IMPORTS, async (request, reply) => {
    assertScope(request.caller, 'admin')
    const { site, ids, query } = request
    const binding = ['imports', site.id]
    const beforeId = readIdCursor(keys().cursors, binding, query.cursor)
    const { items, nextId } = await listImports(context, { site, beforeId, limit: query.limit })
    return sendPrivately(reply, {
      items: items.map((found) => presentImport(ids, found)),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })

  app.get('/sites/:site/imports/:id', GET_IMPORT, async (request, reply) => {
    assertScope(request.caller, 'admin')
    const { site, ids, params } = request
    const found = await getImport(context, site, known(ids.read('import', params.id)))
    return sendPrivately(reply, presentImport(ids, found))
  })

  app.get('/sites/:site/imports/:id/report', GET_IMPORT_REPORT, async (request, reply) => {
    assertScope(request.caller, 'admin')
    const { site, ids, params } = request
    const found = await getImport(context, site, known(ids.read('import', params.id)))
    return sendPrivately(reply.type('text/html; charset=utf-8'), writeReportPage(found))
  })

  app.post('/sites/:site/imports/:id/cancel', CANCEL_IMPORT, async (request, reply) => {
    assertScope(request.caller, 'admin')
    const { site, ids, params } = request
    const found = await cancelImport(context, site, known(ids.read('import', params.id)))
    return sendPrivately(reply, presentImport(ids, found))
  })
}

const known = (id: number | undefined): number => {
  if (id === undefined) throw new Refusal('not_found')
  return id
}

/** The only route whose body is a file: it has no limit of size and time but its own. */
const UPLOAD = {
  ...START_IMPORT,
  handlerTimeout: HOUR_MS,
  bodyLimit: Number.MAX_SAFE_INTEGER,
  config: { ...START_IMPORT.config, isUpload: true },
}

const addUpload = (app: Router, context: Http['context']): void => {
  void app.register(async (scope) => {
    takeFiles(scope as unknown as FastifyInstance)
    const routes = scope as unknown as Router
    routes.post('/sites/:site/imports', UPLOAD, async (request, reply) => {
      const { site, ids, caller, query, body } = request
      assertScope(caller, 'admin')
      if (!body) throw new Refusal('invalid_request', { '': 'must be the file to import' })
      const started = await startImport(context, {
        site,
        administrator: caller,
        dryRun: query.dry_run,
        unapproved: query.unapproved,
        wantedFormat: query.format ?? null,
        wantedOrigin: query.origin ?? null,
        upload: body as AsyncIterable<Uint8Array>,
      })
      const location = `${ids.service}/v1/sites/${site.slug}/imports/${ids.write('import', started.id)}`
      return sendPrivately(
        reply.code(202).header('location', location),
        presentImport(ids, started),
      )
    })
  })
}

/** Hands over the body as it arrives, whatever its type says: the file itself tells its format. */
const takeFiles = (scope: FastifyInstance): void => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
}
