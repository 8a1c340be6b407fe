import { Readable } from 'node:stream'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { getModerationState } from '../../usecases/policies/flood-hold.ts'
import { rejudgePending } from '../../usecases/policies/rejudge-pending.ts'
import { screenComment } from '../../usecases/policies/screen-comment.ts'
import { simulatePolicy } from '../../usecases/policies/simulate-policy.ts'
import { presentBatch } from '../batches/present.ts'
import { Batch } from '../batches/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { createSiteSlots } from '../edge/site-slots.ts'
import { readPolicy } from '../policies/fields.ts'
import { allowLargeBodyFor } from '../policies/routes.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { readScreeningRequest } from './fields.ts'
import { presentScreeningResult, presentSimulation, presentState } from './present.ts'
import {
  ModerationState,
  NewSimulation,
  RejudgeRequest,
  ScreeningRequest,
  ScreeningResult,
  SimulationLine,
} from './schemas.ts'

const judging = {
  tag: 'Moderation',
  credential: 'needed',
  params: object(op.siteParams),
  query: op.NO_QUERY,
} as const

const GET_MODERATION_STATE = op.operation({
  ...judging,
  id: 'getModerationState',
  summary: 'Get the current moderation state',
  description:
    'Moderators may see which policy version is in force, and whether a flood currently holds ' +
    'every new comment.',
  body: op.NO_BODY,
  answers: { 200: ref(ModerationState) },
  limit: 'read',
})

const SCREEN_COMMENT = op.operation({
  ...judging,
  id: 'screenComment',
  summary: 'Test a text against the policy',
  description:
    "Moderators may call it; it returns the verdict, risk and trace that a new guest's comment " +
    'would get now, under the current policy or a draft. Nothing is stored and no external check ' +
    'is called. A site can send two large drafts at the same time.',
  body: ref(ScreeningRequest),
  answers: { 200: ref(ScreeningResult) },
  refusals: ['site_busy'],
  limit: 'write',
})

const SIMULATE_POLICY = op.operation({
  ...judging,
  id: 'simulatePolicy',
  summary: 'Test a policy on past comments',
  description:
    'Moderators may judge recent comments under a draft policy; the response streams progress and ' +
    "then the result as JSON lines, with how well verdicts agree with moderators' decisions. It " +
    'changes nothing and stops when the connection closes. A site can run two at the same time.',
  body: ref(NewSimulation),
  answers: {
    200: {
      description: 'Lines of JSON.',
      content: { 'application/x-ndjson': { schema: ref(SimulationLine) } },
    } as never,
  },
  refusals: ['site_busy'],
  limit: 'write',
})

/** The response streams progress, so it may take longer than other requests; each of its steps has a time-out. */
const { handlerTimeout: _, ...SIMULATING } = SIMULATE_POLICY

const REJUDGE_PENDING = op.operation({
  ...judging,
  id: 'rejudgePending',
  tag: 'Administration',
  summary: 'Judge held comments again',
  description:
    'Administrators may start a batch (202) that applies the policy, bans and modes of now to every ' +
    'comment held by rules; each change can be undone. Comments sent back by a moderator or by flags ' +
    'are left alone.',
  body: ref(RejudgeRequest),
  answers: { 202: ref(Batch) },
  limit: 'write',
  once: true,
})

export const addJudgingRoutes = (app: Router, { context }: Http): void => {
  const at = '/sites/:site/moderation'
  const takeSlot = createSiteSlots()
  const large = allowLargeBodyFor('moderate', takeSlot)
  const always = allowLargeBodyFor('moderate', takeSlot, () => true)

  app.get(`${at}/state`, GET_MODERATION_STATE, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    return sendPrivately(reply, presentState(await getModerationState(context, request.site.id)))
  })

  app.post(`${at}/screenings`, { ...SCREEN_COMMENT, ...large }, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const trial = { site: request.site, ...readScreeningRequest(request.body) }
    const result = await screenComment(context, trial)
    return sendPrivately(reply, presentScreeningResult(request.ids, result))
  })

  app.post(`${at}/simulations`, { ...SIMULATING, ...always }, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { policy, days } = request.body
    const act = { siteId: request.site.id, policy: readPolicy(policy), days }
    reply.type('application/x-ndjson; charset=utf-8')
    return sendPrivately(reply, Readable.from(toLines(request.ids, simulatePolicy(context, act))))
  })

  app.post(`${at}/rejudgements`, REJUDGE_PENDING, async (request, reply) => {
    const { site, ids, caller: administrator } = request
    assertScope(administrator, 'admin')
    const { ask: asksAgain } = request.body
    const act = { site, administrator, asksAgain, idempotencyKey: readIdempotencyKey(request) }
    const answer = await rejudgePending(context, act, (batch) => ({
      status: 202,
      headers: {
        location: `${ids.service}/v1/sites/${site.slug}/moderation/batches/${ids.write('batch', batch.id)}`,
      },
      body: presentBatch(ids, batch),
    }))
    return sendWrite(reply, answer)
  })
}

async function* toLines(
  ids: PublicIds,
  lines: ReturnType<typeof simulatePolicy>,
): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(presentSimulation(ids, line))}\n`
}
