import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { assertScope, type Scope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import {
  getPolicy,
  getPolicyVersion,
  listPolicies,
  restorePolicy,
  updatePolicy,
} from '../../usecases/policies/policies.ts'
import { readIfMatch } from '../edge/conditions.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { createSiteSlots, type TakeSlot } from '../edge/site-slots.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { readPolicy } from './fields.ts'
import { presentPolicy, presentPolicyVersion } from './present.ts'
import { NewPolicy, PoliciesPage, RestoreRequest, VersionedPolicy } from './schemas.ts'

/** Room for several lists of 65,000 words. */
const BODY_BYTES = 4_194_304

/** A body up to this size, which every operation accepts, needs no slot. */
const SMALL_BYTES = 65_536

const isLarge = ({ headers }: FastifyRequest): boolean =>
  !(Number(headers['content-length']) <= SMALL_BYTES)

/**
 * Accepts large bodies, a few of each site at the same time. The service checks the credential and the
 * slot before it reads the body, because parsing takes time in which no other request is served.
 */
export const allowLargeBodyFor = (
  scope: Scope,
  takeSlot: TakeSlot,
  needsSlot: (request: FastifyRequest) => boolean = isLarge,
) => ({
  bodyLimit: BODY_BYTES,
  onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
    assertScope(request.caller, scope)
    if (needsSlot(request)) takeSlot(request, reply)
  },
})

const versionParams = object({
  ...op.siteParams,
  version: Type.String({ description: 'The version; 0 is what the service ships.' }),
})

const reading = {
  tag: 'Moderation',
  credential: 'needed',
  body: op.NO_BODY,
  limit: 'read',
} as const

const GET_POLICY = op.operation({
  ...reading,
  id: 'getPolicy',
  summary: 'Get the current policy',
  description:
    'Moderators may read the rules in force, their version and who made it. Version 0 is the ' +
    'policy that ships with the service.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  answers: { 200: ref(VersionedPolicy) },
})

const LIST_POLICIES = op.operation({
  ...reading,
  id: 'listPolicies',
  summary: 'List policy versions',
  description: 'Moderators may list every version, latest first, without the rules themselves.',
  params: object(op.siteParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  answers: { 200: ref(PoliciesPage) },
  refusals: ['invalid_cursor'],
})

const GET_POLICY_VERSION = op.operation({
  ...reading,
  id: 'getPolicyVersion',
  summary: 'Get one policy version',
  description: 'Moderators may read the rules of any version. A version never changes.',
  params: versionParams,
  query: op.NO_QUERY,
  answers: { 200: ref(VersionedPolicy) },
})

const making = {
  tag: 'Administration',
  credential: 'needed',
  query: op.NO_QUERY,
  refusals: ['edit_conflict', 'site_busy'],
  limit: 'write',
  once: true,
} as const

const UPDATE_POLICY = op.operation({
  ...making,
  id: 'updatePolicy',
  summary: 'Replace the policy',
  description:
    'Administrators may replace all rules (at most 4 MiB); this creates a new version that ' +
    'applies from the next comment. `If-Match: "<version>"` prevents overwriting another change.',
  params: object(op.siteParams),
  body: ref(NewPolicy),
  answers: { 200: ref(VersionedPolicy) },
})

const RESTORE_POLICY = op.operation({
  ...making,
  id: 'restorePolicy',
  summary: 'Restore an earlier policy version',
  description:
    'Administrators may restore a version. This creates a new version with the same rules; no ' +
    'version is removed.',
  params: versionParams,
  body: ref(RestoreRequest),
  answers: { 200: ref(VersionedPolicy) },
})

export const addPolicyRoutes = (app: Router, { context, keys }: Http): void => {
  const at = '/sites/:site/moderation/policy'
  const all = '/sites/:site/moderation/policies'
  const present = (ids: PublicIds) => (known: Parameters<typeof presentPolicy>[1]) => ({
    status: 200,
    headers: {},
    body: presentPolicy(ids, known),
  })

  const large = allowLargeBodyFor('admin', createSiteSlots())

  app.get(at, GET_POLICY, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const known = await getPolicy(context, request.site)
    return sendPrivately(reply, presentPolicy(request.ids, known))
  })

  app.put(at, { ...UPDATE_POLICY, ...large }, async (request, reply) => {
    const { site, caller: administrator, body } = request
    assertScope(administrator, 'admin')
    const policy = readPolicy(body.policy)
    const act = { site, administrator, policy, note: body.note ?? null }
    const when = { ifVersion: readIfMatch(request), idempotencyKey: readIdempotencyKey(request) }
    return sendWrite(reply, await updatePolicy(context, { ...act, ...when }, present(request.ids)))
  })

  app.get(all, LIST_POLICIES, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { limit, cursor } = request.query
    const siteId = request.site.id
    const binding = ['policies', siteId]
    const before = readIdCursor(keys().cursors, binding, cursor)
    const { items, next } = await listPolicies(context, { siteId, before, limit })
    return sendPrivately(reply, {
      items: items.map((known) => presentPolicyVersion(request.ids, known)),
      next_cursor: writeIdCursor(keys().cursors, binding, next),
    })
  })

  app.get(`${all}/:version`, GET_POLICY_VERSION, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const version = readVersion(request.params.version)
    const known = await getPolicyVersion(context, { siteId: request.site.id, version })
    return sendPrivately(reply, presentPolicy(request.ids, known))
  })

  app.post(`${all}/:version/restorations`, RESTORE_POLICY, async (request, reply) => {
    const { site, caller: administrator, body, params } = request
    assertScope(administrator, 'admin')
    const version = readVersion(params.version)
    const act = { site, administrator, version, note: body.note ?? null }
    const when = { ifVersion: readIfMatch(request), idempotencyKey: readIdempotencyKey(request) }
    return sendWrite(reply, await restorePolicy(context, { ...act, ...when }, present(request.ids)))
  })
}

/** A text that is no version number becomes -1, which is not found. */
const readVersion = (text: string): number => (/^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : -1)
