import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { getModerationStats } from '../../usecases/queue/moderation-log.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentModerationStats } from './present.ts'
import { ModerationStats } from './schemas.ts'

const GET_MODERATION_STATS = op.operation({
  id: 'getModerationStats',
  tag: 'Moderation',
  summary: 'Get moderation statistics',
  description:
    'Returns decisions, reversals, time to decision and what is waiting, for the last days; ' +
    'moderators may call it. At most the latest 100,000 decisions are counted: `since` tells ' +
    'where counting starts.',
  params: object(op.siteParams),
  query: object({
    days: Type.Integer({
      minimum: 1,
      maximum: 365,
      default: 30,
      description: 'The number of days, each of 24 hours, up to now.',
    }),
  }),
  body: op.NO_BODY,
  answers: { 200: ref(ModerationStats) },
  credential: 'needed',
  limit: 'read',
})

export const addModerationStatsRoutes = (app: Router, { context }: Http): void => {
  app.get('/sites/:site/moderation/stats', GET_MODERATION_STATS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { days } = request.query
    const figures = await getModerationStats(context, { siteId: request.site.id, days })
    return sendPrivately(reply, presentModerationStats(figures))
  })
}
