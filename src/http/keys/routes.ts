import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { assertScope, assertServiceAdmin, callerIdOf } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  createKey,
  type KeyFilter,
  listKeys,
  renameKey,
  revokeKey,
  rotateKey,
} from '../../usecases/administering/keys.ts'
import type { Context } from '../../usecases/context.ts'
import { findSite } from '../../usecases/people/find-caller.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import { readKeyFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { presentCreatedKey, presentKey } from './present.ts'
import {
  CreatedKey,
  Key,
  KeyChange,
  KeysPage,
  NewKey,
  NewServiceKey,
  RotateRequest,
} from './schemas.ts'

const administering = { tag: 'Administration', credential: 'needed', query: op.NO_QUERY } as const

const keyParam = { id: Type.String({ description: 'Id of the key.' }) }

const listing = {
  ...administering,
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(KeysPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
} as const

const LIST_KEYS = op.operation({
  ...listing,
  id: 'listKeys',
  summary: "List a site's API keys",
  description:
    'Administrators may list the keys, latest first, including expired and revoked ones. Secrets are ' +
    'not returned.',
  params: object(op.siteParams),
})

const LIST_SERVICE_KEYS = op.operation({
  ...listing,
  id: 'listServiceKeys',
  summary: 'List all API keys',
  description:
    'Service administrators may list the keys of the service and of every site, latest first, ' +
    'including expired and revoked ones.',
  params: object({}),
})

const creating = { ...administering, answers: { 201: ref(CreatedKey) }, limit: 'write' } as const

const CREATE_KEY = op.operation({
  ...creating,
  id: 'createKey',
  summary: 'Create a site API key',
  description:
    'Administrators may create a key; its secret is in this response only. `Idempotency-Key` is ' +
    'ignored: if the response is lost, revoke the key and create another.',
  params: object(op.siteParams),
  body: ref(NewKey),
})

const CREATE_SERVICE_KEY = op.operation({
  ...creating,
  id: 'createServiceKey',
  summary: 'Create a service API key',
  description:
    'Service administrators may create a key for one site or for all sites; its secret is in this ' +
    'response only. `Idempotency-Key` is ignored.',
  params: object({}),
  body: ref(NewServiceKey),
})

const ROTATE_KEY = op.operation({
  ...creating,
  id: 'rotateKey',
  summary: 'Rotate a site API key',
  description:
    'Administrators may create a new key with the same scope; the old one expires after ' +
    '`overlap_seconds` (a day by default). The secret is in this response only, and ' +
    '`Idempotency-Key` is ignored.',
  params: object({ ...op.siteParams, ...keyParam }),
  body: ref(RotateRequest),
})

const ROTATE_SERVICE_KEY = op.operation({
  ...creating,
  id: 'rotateServiceKey',
  summary: 'Rotate any API key',
  description:
    'Service administrators may rotate any key; the old one expires after `overlap_seconds`. The ' +
    'secret is in this response only, and `Idempotency-Key` is ignored.',
  params: object(keyParam),
  body: ref(RotateRequest),
})

const renaming = {
  ...administering,
  body: ref(KeyChange),
  answers: { 200: ref(Key) },
  limit: 'write',
} as const

const UPDATE_KEY = op.operation({
  ...renaming,
  id: 'updateKey',
  summary: 'Rename a site API key',
  description:
    'Administrators may rename a key; its secret, scope and expiry stay. Comments that the key ' +
    'posted in its own name show the new name.',
  params: object({ ...op.siteParams, ...keyParam }),
})

const UPDATE_SERVICE_KEY = op.operation({
  ...renaming,
  id: 'updateServiceKey',
  summary: 'Rename any API key',
  description: 'Service administrators may rename any key; its secret, scope and expiry stay.',
  params: object(keyParam),
})

const revoking = {
  ...administering,
  body: op.NO_BODY,
  answers: { 204: NOTHING },
  limit: 'write',
} as const

const REVOKE_KEY = op.operation({
  ...revoking,
  id: 'revokeKey',
  summary: 'Revoke a site API key',
  description:
    'Administrators may revoke a key; it stops working immediately. Repeating the request has no effect.',
  params: object({ ...op.siteParams, ...keyParam }),
})

const REVOKE_SERVICE_KEY = op.operation({
  ...revoking,
  id: 'revokeServiceKey',
  summary: 'Revoke any API key',
  description:
    'Service administrators may revoke any key; it stops working immediately. Repeating the request ' +
    'has no effect.',
  params: object(keyParam),
})

type Administered = { readonly filter: KeyFilter; readonly by: string }

/** Refuses callers who may not administer the site. */
const keysOfSite = ({ caller, site }: Pick<FastifyRequest, 'caller' | 'site'>): Administered => {
  assertScope(caller, 'admin')
  return { filter: { siteId: site.id }, by: callerIdOf(caller) }
}

/** Refuses callers who may not administer the service. */
const keysOfService = ({ caller }: Pick<FastifyRequest, 'caller'>): Administered => {
  assertServiceAdmin(caller)
  return { filter: { siteId: undefined }, by: callerIdOf(caller) }
}

export const addKeyRoutes = (app: Router, http: Http): void => {
  const { context } = http
  const db = context.writes

  app.get('/sites/:site/keys', LIST_KEYS, async (request, reply) =>
    sendPrivately(reply, await listOf(http, keysOfSite(request), request)),
  )

  app.get('/keys', LIST_SERVICE_KEYS, async (request, reply) =>
    sendPrivately(reply, await listOf(http, keysOfService(request), request)),
  )

  app.post('/sites/:site/keys', CREATE_KEY, async (request, reply) => {
    const { by } = keysOfSite(request)
    const made = await createKey(
      { db, by },
      { ...readNewKey(request.body), siteId: request.site.id },
    )
    return sendPrivately(reply.code(201), presentCreatedKey(request.ids, made))
  })

  app.post('/keys', CREATE_SERVICE_KEY, async (request, reply) => {
    const { by } = keysOfService(request)
    const fields = readNewKey(request.body)
    const siteId = await findSiteId(context, request.body.site ?? null)
    const made = await createKey({ db, by }, { ...fields, siteId })
    return sendPrivately(reply.code(201), presentCreatedKey(request.ids, made))
  })

  app.post('/sites/:site/keys/:id/rotations', ROTATE_KEY, async (request, reply) => {
    const made = await rotateKey({ db, ...keysOfSite(request) }, readRotation(request))
    return sendPrivately(reply.code(201), presentCreatedKey(request.ids, made))
  })

  app.post('/keys/:id/rotations', ROTATE_SERVICE_KEY, async (request, reply) => {
    const made = await rotateKey({ db, ...keysOfService(request) }, readRotation(request))
    return sendPrivately(reply.code(201), presentCreatedKey(request.ids, made))
  })

  app.patch('/sites/:site/keys/:id', UPDATE_KEY, async (request, reply) => {
    const renamed = await renameKey({ db, ...keysOfSite(request) }, readName(request))
    context.kick('refresh_author')
    return sendPrivately(reply, presentKey(request.ids, renamed))
  })

  app.patch('/keys/:id', UPDATE_SERVICE_KEY, async (request, reply) => {
    const renamed = await renameKey({ db, ...keysOfService(request) }, readName(request))
    context.kick('refresh_author')
    return sendPrivately(reply, presentKey(request.ids, renamed))
  })

  app.delete('/sites/:site/keys/:id', REVOKE_KEY, async (request, reply) => {
    await revokeKey({ db, ...keysOfSite(request) }, readId(request.ids, request.params.id))
    return sendPrivately(reply.code(204), undefined)
  })

  app.delete('/keys/:id', REVOKE_SERVICE_KEY, async (request, reply) => {
    await revokeKey({ db, ...keysOfService(request) }, readId(request.ids, request.params.id))
    return sendPrivately(reply.code(204), undefined)
  })
}

type KeyListing = { ids: PublicIds; query: { limit: number; cursor?: string } }

const listOf = async (
  { context, keys }: Http,
  { filter }: Administered,
  { ids, query: { limit, cursor } }: KeyListing,
) => {
  const binding = ['keys', filter.siteId]
  const beforeId = readIdCursor(keys().cursors, binding, cursor)
  const { items, nextId } = await listKeys({ db: context.db, filter }, { beforeId, limit })
  return {
    items: items.map((key) => presentKey(ids, key)),
    next_cursor: writeIdCursor(keys().cursors, binding, nextId),
  }
}

const findSiteId = async (context: Context, slug: string | null): Promise<number | null> => {
  if (slug === null) return null
  const site = await findSite(context, slug, 'fresh')
  if (!site) throw new Refusal('invalid_request', { '/site': 'is no site' })
  return site.id
}

const readNewKey = ({ scope, ...body }: Static<typeof NewKey>) => {
  const fields = { ...readKeyFields(body), scope }
  assertFuture(fields.expiresAt)
  return fields
}

type RotationRequest = {
  ids: PublicIds
  params: { id: string }
  body: Static<typeof RotateRequest>
}

const readRotation = ({ ids, params, body }: RotationRequest) => ({
  id: readId(ids, params.id),
  overlapSeconds: body.overlap_seconds,
})

type RenameRequest = { ids: PublicIds; params: { id: string }; body: Static<typeof KeyChange> }

const readName = ({ ids, params, body }: RenameRequest) => ({
  id: readId(ids, params.id),
  name: readKeyFields(body).name,
})

const readId = (ids: PublicIds, text: string): number => {
  const id = ids.read('key', text)
  if (id === undefined) throw new Refusal('not_found')
  return id
}

const assertFuture = (time: string | null): void => {
  if (time !== null && Date.parse(time) <= Date.now())
    throw new Refusal('invalid_request', { '/expires_at': 'must be in the future' })
}
