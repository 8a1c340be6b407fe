import type { Static } from 'typebox'
import { assertScope, assertServiceAdmin } from '../../domain/people/caller.ts'
import type { Site as SiteAsIs } from '../../domain/site/site.ts'
import { countSiteToDelete, deleteSite } from '../../usecases/administering/delete-site.ts'
import { renameSite } from '../../usecases/administering/rename-site.ts'
import type { SiteSettings } from '../../usecases/administering/site-settings.ts'
import { createSite, listSites, updateSite } from '../../usecases/administering/sites.ts'
import { readIfMatch } from '../edge/conditions.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPage, sendPrivately, sendWrite, toHashedPage } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import { readSiteFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentSite, presentSiteConfig } from './present.ts'
import {
  NewSite,
  Site,
  SiteChange,
  SiteConfig,
  SiteCounts,
  SiteDeletion,
  SiteRename,
  SitesPage,
} from './schemas.ts'

const site = {
  tag: 'Administration',
  credential: 'needed',
  params: object(op.siteParams),
  query: op.NO_QUERY,
} as const

const GET_SITE = op.operation({
  ...site,
  id: 'getSite',
  summary: "Get a site's settings",
  description: 'Administrators may read all settings. Secrets are never returned.',
  body: op.NO_BODY,
  answers: { 200: ref(Site) },
  limit: 'read',
})

const UPDATE_SITE = op.operation({
  ...site,
  id: 'updateSite',
  summary: "Update a site's settings",
  description:
    'Administrators may change settings; only the fields sent change, and `If-Match: "<version>"` ' +
    'prevents overwriting another change. Writes use the new settings immediately, reads on other ' +
    'nodes within a second.',
  body: ref(SiteChange),
  answers: { 200: ref(Site) },
  refusals: ['edit_conflict'],
  limit: 'write',
  once: true,
})

const RENAME_SITE = op.operation({
  ...site,
  id: 'renameSite',
  summary: 'Give a site another slug',
  description:
    'Service administrators may rename a site. The slug before still names it for `keep_days`, in ' +
    'paths and in the `aud` of member tokens; a second renaming ends an earlier one.',
  body: ref(SiteRename),
  answers: { 200: ref(Site) },
  limit: 'write',
})

const DELETE_SITE = op.operation({
  ...site,
  id: 'deleteSite',
  summary: 'Delete a site for good',
  description:
    'Service administrators may delete a site; it cannot be undone. From the response (202) on ' +
    'readers get 404 and its keys are revoked; a job deletes the rows, and then the slug is free.',
  body: ref(SiteDeletion),
  answers: { 200: ref(SiteCounts), 202: ref(SiteCounts) },
  limit: 'write',
})

const GET_SITE_CONFIG = op.operation({
  tag: 'Reading',
  params: object(op.siteParams),
  body: op.NO_BODY,
  credential: 'taken',
  isAlwaysOpen: true,
  limit: 'read',
  id: 'getSiteConfig',
  summary: "Get a site's public settings",
  description:
    'Anyone may call it; it returns what a widget needs before it renders: limits, edit window, ' +
    'who may post, flag reasons, sorts and depth.',
  query: op.NO_QUERY,
  answers: { 200: ref(SiteConfig) },
})

const service = { ...site, tag: 'Administration', params: object({}) } as const

const CREATE_SITE = op.operation({
  ...service,
  id: 'createSite',
  summary: 'Create a site',
  description:
    'Service administrators may create a site; omitted settings get their defaults. A slug ' +
    'names one site, so repeating the request cannot create a second site.',
  body: ref(NewSite),
  answers: { 201: ref(Site) },
  limit: 'write',
})

const LIST_SITES = op.operation({
  ...service,
  id: 'listSites',
  summary: 'List all sites',
  description: 'Service administrators may list every site, oldest first.',
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(SitesPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

export const addSiteRoutes = (app: Router, { context, limits, keys }: Http): void => {
  app.get('/sites/:site/config', GET_SITE_CONFIG, async (request, reply) => {
    const config = presentSiteConfig(request.site, limits)
    return sendPage(request, reply, toHashedPage(null, config))
  })

  app.get('/sites', LIST_SITES, async (request, reply) => {
    assertServiceAdmin(request.caller)
    const { limit, cursor } = request.query
    const binding = ['sites']
    const afterId = readIdCursor(keys().cursors, binding, cursor) ?? 0
    const { items, nextId } = await listSites(context, { afterId, limit })
    return sendPrivately(reply, {
      items: items.map(presentSite),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })

  app.post('/sites', CREATE_SITE, async (request, reply) => {
    const { caller: administrator, body } = request
    assertServiceAdmin(administrator)
    const { slug, name } = body
    const wanted = { ...readSettings(body), slug, name: readSiteFields({ name }).name ?? name }
    const made = await createSite(context, { administrator, site: wanted }, describe)
    reply.code(201).header('location', `${request.ids.service}/v1/sites/${made.slug}`)
    return sendPrivately(reply, presentSite(made))
  })

  app.get('/sites/:site', GET_SITE, async (request, reply) => {
    assertScope(request.caller, 'admin')
    return sendPrivately(reply, presentSite(request.site))
  })

  app.post('/sites/:site/renames', RENAME_SITE, async (request, reply) => {
    const { site, caller: administrator, body } = request
    assertServiceAdmin(administrator)
    const keepSeconds = body.keep_days * DAY_SECONDS
    const act = { site, administrator, slug: body.slug, keepSeconds }
    return sendPrivately(reply, presentSite(await renameSite(context, act)))
  })

  app.post('/sites/:site/deletions', DELETE_SITE, async (request, reply) => {
    const { site, caller: administrator, body } = request
    assertServiceAdmin(administrator)
    const { dry_run: isDryRun, confirm: confirmed } = body
    const counts = await countSiteToDelete(context, site)
    if (!isDryRun) await deleteSite(context, { site, administrator, confirmed })
    return sendPrivately(reply.code(isDryRun ? 200 : 202), { dry_run: isDryRun, ...counts })
  })

  app.patch('/sites/:site', UPDATE_SITE, async (request, reply) => {
    const { site: changed, caller: administrator, body } = request
    assertScope(administrator, 'admin')
    const settings = readSettings(body)
    const ifVersion = readIfMatch(request)
    const idempotencyKey = readIdempotencyKey(request)
    const present = (after: SiteAsIs) => ({ status: 200, headers: {}, body: presentSite(after) })
    const act = { site: changed, administrator, settings, ifVersion, idempotencyKey }
    return sendWrite(reply, await updateSite(context, act, { present, describe }))
  })
}

const DAY_SECONDS = 86_400

/** The version is not a setting: every change of a setting increases it. */
const describe = (site: SiteAsIs) => {
  const { version: _, ...settings } = presentSite(site)
  return settings
}

const readSettings = (body: Static<typeof SiteChange>): SiteSettings => ({
  ...readSiteFields(body),
  ...(body.moderation !== undefined && { moderation: body.moderation }),
  ...(body.who_may_post !== undefined && { posting: body.who_may_post }),
  ...(body.state !== undefined && { state: body.state }),
  ...(body.who_may_read !== undefined && { reading: body.who_may_read }),
  ...(body.voting !== undefined && { voting: body.voting }),
  ...(body.article_ids !== undefined && { articleIds: body.article_ids }),
  ...(body.email_required !== undefined && { emailRequired: body.email_required }),
  ...(body.min_body_length !== undefined && { minBodyLength: body.min_body_length }),
  ...(body.max_body_length !== undefined && { maxBodyLength: body.max_body_length }),
  ...(body.edit_window_seconds !== undefined && { editWindowSeconds: body.edit_window_seconds }),
  ...(body.max_depth !== undefined && { maxDepth: body.max_depth }),
  ...(body.limits !== undefined && { limits: body.limits }),
  ...(body.sorts !== undefined && { sorts: body.sorts }),
  ...(body.retention_days !== undefined && { retentionDays: body.retention_days }),
  ...(body.flag_threshold !== undefined && { flagThreshold: body.flag_threshold }),
  ...(body.close_after_days !== undefined && { closeAfterDays: body.close_after_days }),
  ...(body.slow_mode_seconds !== undefined && { slowModeSeconds: body.slow_mode_seconds }),
})
