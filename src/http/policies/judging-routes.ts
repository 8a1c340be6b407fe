import { Readable } from 'node:stream'
import { assertScope } from '../../domain/people/caller.ts'
import { batchId } from '../../domain/public-id.ts'
import { getModerationState } from '../../usecases/policies/get-moderation-state.ts'
import { rejudgePending } from '../../usecases/policies/rejudge-pending.ts'
import { screenComment } from '../../usecases/policies/screen-comment.ts'
import { simulatePolicy } from '../../usecases/policies/simulate-policy.ts'
import { presentBatch } from '../decisions/present.ts'
import { Batch } from '../decisions/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { readPolicy, readTrial } from './fields.ts'
import { presentSimulation, presentState, presentTried } from './present.ts'
import { allowLargeBodyFor } from './routes.ts'
import {
  ModerationState,
  NewSimulation,
  Rejudging,
  SimulationLine,
  Trial,
  Tried,
} from './schemas.ts'

const judging = {
  tag: 'moderating',
  credential: 'needed',
  params: object(op.siteParams),
  query: op.NO_QUERY,
} as const

const GET_MODERATION_STATE = op.operation({
  ...judging,
  id: 'getModerationState',
  summary: 'How the site judges at this moment',
  description: 'Which policy is in force, and whether everything is held because too much arrives.',
  body: op.NO_BODY,
  answers: { 200: ref(ModerationState) },
  limit: 'read',
})

const SCREEN_COMMENT = op.operation({
  ...judging,
  id: 'screenComment',
  summary: 'What would be said of a text',
  description:
    'As if a new guest wrote it at this moment, by the policy in force or by a draft. Nothing is ' +
    'stored, and no service outside is asked.',
  body: ref(Trial),
  answers: { 200: ref(Tried) },
  limit: 'write',
})

const SIMULATE_POLICY = op.operation({
  ...judging,
  id: 'simulatePolicy',
  summary: 'What a policy would have said of late',
  description:
    'Judges the comments of the last days once more, from the facts of their time. Lines of JSON: how ' +
    'far it is, and at last the result, with how it agrees with what moderators decided. Nothing is ' +
    'changed, and it ends when the connection does. 4 MiB at most.',
  body: ref(NewSimulation),
  answers: {
    200: {
      description: 'Lines of JSON.',
      content: { 'application/x-ndjson': { schema: ref(SimulationLine) } },
    } as never,
  },
  limit: 'write',
})

/** It goes on for as long as it says how far it is, and waits for nothing that has no time-out. */
const { handlerTimeout: _, ...SIMULATING } = SIMULATE_POLICY

const REJUDGE_PENDING = op.operation({
  ...judging,
  id: 'rejudgePending',
  tag: 'administering',
  summary: 'Judge what is held once more',
  description:
    'By the policy in force and the facts of before: a batch, done by a job. What a moderator or ' +
    'flags sent back waits for a person. Each change is a decision, and can be undone.',
  body: ref(Rejudging),
  answers: { 202: ref(Batch) },
  limit: 'write',
  once: true,
})

export const addJudgingRoutes = (app: Router, { context }: Http): void => {
  const at = '/sites/:site/moderation'
  const large = allowLargeBodyFor('moderate')

  app.get(`${at}/state`, GET_MODERATION_STATE, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    return sendPrivately(reply, presentState(await getModerationState(context, request.site.id)))
  })

  app.post(`${at}/screenings`, { ...SCREEN_COMMENT, ...large }, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const trial = { site: request.site, ...readTrial(request.body) }
    return sendPrivately(reply, presentTried(await screenComment(context, trial)))
  })

  app.post(`${at}/simulations`, { ...SIMULATING, ...large }, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { policy, days } = request.body
    const act = { siteId: request.site.id, policy: readPolicy(policy), days }
    reply.type('application/x-ndjson; charset=utf-8')
    return sendPrivately(reply, Readable.from(toLines(simulatePolicy(context, act))))
  })

  app.post(`${at}/rejudge`, REJUDGE_PENDING, async (request, reply) => {
    const { site, caller: administrator } = request
    assertScope(administrator, 'admin')
    const act = { site, administrator, claim: readIdempotencyKey(request) }
    const answer = await rejudgePending(context, act, (batch) => ({
      status: 202,
      headers: { location: `/v1/sites/${site.slug}/moderation/batches/${batchId(batch.id)}` },
      body: presentBatch(batch),
    }))
    return sendWrite(reply, answer)
  })
}

async function* toLines(lines: ReturnType<typeof simulatePolicy>): AsyncGenerator<string> {
  for await (const line of lines) yield `${JSON.stringify(presentSimulation(line))}\n`
}
