import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import {
  assertScope,
  assertServiceAdmin,
  callerIdOf,
  type StaffCaller,
} from '../../domain/people/caller.ts'
import { readKeyId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  createKey,
  type KeyFilter,
  listKeys,
  revokeKey,
  rotateKey,
} from '../../usecases/administering/keys.ts'
import { findSite } from '../../usecases/people/find-caller.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { presentKey, presentMadeKey } from '../sites/present.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import { readKeyFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { CreatedKey, KeysPage, NewKey, NewServiceKey, Rotation } from './schemas.ts'

const SHOWN_ONCE =
  'The key is told in this answer and kept nowhere, so an Idempotency-Key is not honoured: after a ' +
  'lost answer, revoke what was made.'

const keyParam = { id: Type.String({ description: 'The id of the key.' }) }

/** The same four acts on the keys of one site, and on all keys. */
const describeRing = (isOfSite: boolean) => {
  const name = (verb: string, noun: string) => `${verb}${isOfSite ? '' : 'Service'}${noun}`
  const whose = isOfSite ? 'of the site' : 'of the service and all its sites'
  const params = isOfSite ? op.siteParams : {}
  const ring = { tag: 'administering', credential: 'needed', query: op.NO_QUERY } as const
  return {
    list: op.operation({
      ...ring,
      id: name('list', 'Keys'),
      summary: `The keys ${whose}`,
      description: 'Latest first, those that are good for nothing any more included.',
      params: object(params),
      query: object({ ...op.limitParam, ...op.cursorParam }),
      body: op.NO_BODY,
      answers: { 200: ref(KeysPage) },
      refusals: ['invalid_cursor'],
      limit: 'read',
    }),
    create: op.operation({
      ...ring,
      id: name('create', 'Key'),
      summary: `Make a key ${whose}`,
      description: SHOWN_ONCE,
      params: object(params),
      body: isOfSite ? ref(NewKey) : ref(NewServiceKey),
      answers: { 201: ref(CreatedKey) },
      limit: 'write',
    }),
    rotate: op.operation({
      ...ring,
      id: name('rotate', 'Key'),
      summary: 'Replace a key',
      description: `Another key with the same rights; the old one ends after the overlap. ${SHOWN_ONCE}`,
      params: object({ ...params, ...keyParam }),
      body: ref(Rotation),
      answers: { 201: ref(CreatedKey) },
      limit: 'write',
    }),
    revoke: op.operation({
      ...ring,
      id: name('revoke', 'Key'),
      summary: 'Revoke a key',
      description: 'It is good for nothing at once. A second time it is no different.',
      params: object({ ...params, ...keyParam }),
      body: op.NO_BODY,
      answers: { 204: NOTHING },
      limit: 'write',
    }),
  }
}

const OF_SITE = describeRing(true)
const OF_SERVICE = describeRing(false)

export const addKeyRoutes = (app: Router, http: Http): void => {
  addRing(app, http, { at: '/sites/:site/keys', operations: OF_SITE, enter: enterSite })
  addRing(app, http, { at: '/keys', operations: OF_SERVICE, enter: enterService })
}

type Entered = { readonly ring: KeyFilter; readonly by: string }

const enterSite = ({ caller, site }: FastifyRequest): Entered => {
  assertScope(caller, 'admin')
  return { ring: { siteId: site.id }, by: callerIdOf(caller as StaffCaller) }
}

const enterService = ({ caller }: FastifyRequest): Entered => {
  assertServiceAdmin(caller)
  return { ring: { siteId: undefined }, by: callerIdOf(caller) }
}

type RingRoutes = {
  readonly at: '/sites/:site/keys' | '/keys'
  readonly operations: typeof OF_SITE
  readonly enter: (request: FastifyRequest) => Entered
}

const addRing = (app: Router, { context, keys }: Http, { at, operations, enter }: RingRoutes) => {
  const act = (request: unknown) => {
    const { ring, by } = enter(request as FastifyRequest)
    return { db: context.writes, ring, by }
  }

  app.get(at, operations.list, async (request, reply) => {
    const { ring } = enter(request as FastifyRequest)
    const { limit, cursor } = request.query
    const binding = ['keys', ring.siteId]
    const beforeId = readIdCursor(keys().cursors, binding, cursor)
    const { items, nextId } = await listKeys({ db: context.db, ring }, { beforeId, limit })
    return sendPrivately(reply as FastifyReply, {
      items: items.map(presentKey),
      next_cursor: writeIdCursor(keys().cursors, binding, nextId),
    })
  })

  app.post(at, operations.create, async (request, reply) => {
    const { db, ring, by } = act(request)
    const { scope, ...body } = request.body
    const fields = readKeyFields(body)
    assertFuture(fields.expiresAt)
    const siteId = ring.siteId ?? (await findSiteId('site' in body ? (body.site as string) : null))
    const made = await createKey({ db, by }, { ...fields, scope, siteId })
    return sendPrivately(reply.code(201) as FastifyReply, presentMadeKey(made))
  })

  app.post(`${at}/:id/rotations`, operations.rotate, async (request, reply) => {
    const { overlap_seconds: overlapSeconds } = request.body
    const rotation = { id: readKey(request.params), overlapSeconds }
    const made = await rotateKey(act(request), rotation)
    return sendPrivately(reply.code(201) as FastifyReply, presentMadeKey(made))
  })

  app.delete(`${at}/:id`, operations.revoke, async (request, reply) => {
    await revokeKey(act(request), readKey(request.params))
    return sendPrivately(reply.code(204) as FastifyReply, undefined)
  })

  const findSiteId = async (slug: string | null): Promise<number | null> => {
    if (slug === null) return null
    const site = await findSite(context, slug, 'fresh')
    if (!site) throw new Refusal('invalid_request', { '/site': 'is no site' })
    return site.id
  }
}

const readKey = (params: unknown): number => {
  const id = readKeyId((params as { id: string }).id)
  if (id === undefined) throw new Refusal('not_found')
  return id
}

const assertFuture = (time: string | null): void => {
  if (time !== null && Date.parse(time) <= Date.now())
    throw new Refusal('invalid_request', { '/expires_at': 'must be in the future' })
}
