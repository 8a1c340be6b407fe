import { assertScope } from '../../domain/caller.ts'
import { updateSite } from '../../usecases/moderating/update-site.ts'
import { sendPage, sendPrivately, sendWrite, toHashedPage } from '../edge/answers.ts'
import type { Http } from '../edge/context.ts'
import { readClaim } from '../edge/idempotency.ts'
import { readSiteFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import { presentSite, presentSiteConfig } from '../wire/present.ts'
import { object, ref } from '../wire/schemas/building.ts'
import { Site, SiteChange, SiteConfig } from '../wire/schemas/sites.ts'
import type { Router } from './router.ts'

const site = {
  tag: 'moderating',
  credential: 'needed',
  params: object(op.siteParams),
  query: op.NO_QUERY,
} as const

const GET_SITE = op.operation({
  ...site,
  id: 'getSite',
  summary: 'The settings of a site',
  description: 'For administrators.',
  body: op.NO_BODY,
  answers: { 200: ref(Site) },
  limit: 'read',
})

const UPDATE_SITE = op.operation({
  ...site,
  id: 'updateSite',
  summary: 'Change the settings of a site',
  description:
    'Only what is named changes. Writes go by it at once, reads on other nodes within a second.',
  body: ref(SiteChange),
  answers: { 200: ref(Site) },
  limit: 'write',
  once: true,
})

const GET_SITE_CONFIG = op.operation({
  tag: 'reading',
  params: object(op.siteParams),
  body: op.NO_BODY,
  credential: 'taken',
  limit: 'read',
  id: 'getSiteConfig',
  summary: 'What a widget needs before it draws',
  description: 'Limits, edit window, who may post, sorts and depth.',
  query: op.NO_QUERY,
  answers: { 200: ref(SiteConfig) },
})

export const addSiteRoutes = (app: Router, { world }: Http): void => {
  app.get('/sites/:site/config', GET_SITE_CONFIG, async (request, reply) => {
    const config = presentSiteConfig(request.site)
    return sendPage(request, reply, toHashedPage(null, config))
  })

  app.get('/sites/:site', GET_SITE, async (request, reply) => {
    assertScope(request.caller, 'admin')
    return sendPrivately(reply, presentSite(request.site))
  })

  app.patch('/sites/:site', UPDATE_SITE, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'admin')
    const change = {
      ...readSiteFields(body),
      ...(body.moderation !== undefined && { moderation: body.moderation }),
      ...(body.who_may_post !== undefined && { posting: body.who_may_post }),
      ...(body.edit_window_seconds !== undefined && {
        editWindowSeconds: body.edit_window_seconds,
      }),
      ...(body.max_depth !== undefined && { maxDepth: body.max_depth }),
    }
    const answer = await updateSite(
      world,
      { site, change, claim: readClaim(request) },
      (changed) => ({
        status: 200,
        headers: {},
        body: presentSite(changed),
      }),
    )
    return sendWrite(reply, answer)
  })
}
