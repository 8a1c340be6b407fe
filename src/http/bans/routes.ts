import { type Static, Type } from 'typebox'
import { BAN_KINDS } from '../../domain/moderation/ban.ts'
import { assertScope, assertServiceAdmin } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { createBan, liftBan, listBans, updateBan } from '../../usecases/bans/bans.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentBan, presentMadeBan, readBan, readBanChange, readSubject } from './fields.ts'
import { Ban, BanChange, BansPage, CreatedBan, NewBan } from './schemas.ts'

const idParam = { id: Type.String({ description: 'The id of the ban.' }) }
const moderating = { tag: 'Moderation', credential: 'needed' } as const
const serving = { tag: 'Administration', credential: 'needed' } as const

const bansQuery = object({
  kind: Type.Optional(oneOf(BAN_KINDS, { description: 'Only of this kind.' })),
  author_id: Type.Optional(Type.String({ description: 'Only on this author.' })),
  value: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 300,
      description:
        'With `kind`: only bans on this value, and on networks or domains that contain it.',
    }),
  ),
  in_force: Type.Optional(
    Type.Boolean({ description: 'Only those that are, or only those that are over.' }),
  ),
  ...op.limitParam,
  ...op.cursorParam,
})

const LIST_BANS = op.operation({
  ...moderating,
  id: 'listBans',
  summary: "List a site's bans",
  description:
    'Moderators may list all bans of the site, latest first, including expired and lifted ones. ' +
    'Bans on all sites are not included; see `listServiceBans`.',
  params: object(op.siteParams),
  query: bansQuery,
  body: op.NO_BODY,
  answers: { 200: ref(BansPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const CREATE_BAN = op.operation({
  ...moderating,
  id: 'createBan',
  summary: 'Ban an author or address',
  description:
    'Moderators may ban an author, network, e-mail address or e-mail domain from the next write ' +
    'on; moderators and owners are exempt. With `existing_comments`, comments already written change ' +
    'status too, in a batch.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(NewBan),
  answers: { 201: ref(CreatedBan) },
  limit: 'write',
  once: true,
})

const UPDATE_BAN = op.operation({
  ...moderating,
  id: 'updateBan',
  summary: 'Change a ban',
  description:
    'Moderators may change the effect, reason, note or expiry of a ban that was not lifted; the ' +
    'banned value stays.',
  params: object({ ...op.siteParams, ...idParam }),
  query: op.NO_QUERY,
  body: ref(BanChange),
  answers: { 200: ref(Ban) },
  refusals: ['decision_conflict'],
  limit: 'write',
})

const LIFT_BAN = op.operation({
  ...moderating,
  id: 'liftBan',
  summary: 'Lift a ban',
  description:
    'Moderators may lift a ban; repeating the request has no effect. Comments that the ban held ' +
    'or shadowed keep their status.',
  params: object({ ...op.siteParams, ...idParam }),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 204: NOTHING },
  limit: 'write',
})

const LIST_SERVICE_BANS = op.operation({
  ...serving,
  id: 'listServiceBans',
  summary: 'List bans on all sites',
  description: 'Service administrators may list the bans that apply to every site.',
  params: object({}),
  query: bansQuery,
  body: op.NO_BODY,
  answers: { 200: ref(BansPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

const CREATE_SERVICE_BAN = op.operation({
  ...serving,
  id: 'createServiceBan',
  summary: 'Ban an address on all sites',
  description:
    'Service administrators may ban a network, e-mail address or e-mail domain on every site. ' +
    'Authors belong to one site and are banned there.',
  params: object({}),
  query: op.NO_QUERY,
  body: ref(NewBan),
  answers: { 201: ref(Ban) },
  limit: 'write',
})

const UPDATE_SERVICE_BAN = op.operation({
  ...serving,
  id: 'updateServiceBan',
  summary: 'Change a ban on all sites',
  description:
    'Service administrators may change the effect, reason, note or expiry of a ban on every site ' +
    'that was not lifted.',
  params: object(idParam),
  query: op.NO_QUERY,
  body: ref(BanChange),
  answers: { 200: ref(Ban) },
  refusals: ['decision_conflict'],
  limit: 'write',
})

const LIFT_SERVICE_BAN = op.operation({
  ...serving,
  id: 'liftServiceBan',
  summary: 'Lift a ban on all sites',
  description:
    'Service administrators may lift a ban that applies to every site; repeating the request has ' +
    'no effect.',
  params: object(idParam),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 204: NOTHING },
  limit: 'write',
})

export const addBanRoutes = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/moderation/bans', LIST_BANS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    return sendPrivately(reply, await listOf(http, request, request.site))
  })

  app.post('/sites/:site/moderation/bans', CREATE_BAN, async (request, reply) => {
    const { site, ids, caller: moderator, body } = request
    assertScope(moderator, 'moderate')
    const asked = readBan(ids, keys().addresses, body)
    const act = { site, moderator, ...asked, idempotencyKey: readIdempotencyKey(request) }
    const answer = await createBan(context, act, (made) => ({
      status: 201,
      headers: {},
      body: presentMadeBan(ids, made),
    }))
    return sendWrite(reply, answer)
  })

  app.patch('/sites/:site/moderation/bans/:id', UPDATE_BAN, async (request, reply) => {
    const { site, ids, caller: moderator, params, body } = request
    assertScope(moderator, 'moderate')
    const act = { site, moderator, id: readId(ids, params.id), change: readBanChange(body) }
    return sendPrivately(reply, presentBan(ids, await updateBan(context, act)))
  })

  app.delete('/sites/:site/moderation/bans/:id', LIFT_BAN, async (request, reply) => {
    const { site, ids, caller: moderator, params } = request
    assertScope(moderator, 'moderate')
    await liftBan(context, { site, moderator, id: readId(ids, params.id) })
    return sendPrivately(reply.code(204), undefined)
  })

  app.get('/bans', LIST_SERVICE_BANS, async (request, reply) => {
    assertServiceAdmin(request.caller)
    return sendPrivately(reply, await listOf(http, request, null))
  })

  app.post('/bans', CREATE_SERVICE_BAN, async (request, reply) => {
    const { ids, caller: moderator, body } = request
    assertServiceAdmin(moderator)
    const act = {
      site: null,
      moderator,
      ...readBan(null, keys().addresses, body),
      idempotencyKey: undefined,
    }
    const made = await createBan(context, act, ({ ban }) => presentBan(ids, ban))
    return sendPrivately(reply.code(201), made)
  })

  app.patch('/bans/:id', UPDATE_SERVICE_BAN, async (request, reply) => {
    const { ids, caller: moderator, params, body } = request
    assertServiceAdmin(moderator)
    const act = { site: null, moderator, id: readId(ids, params.id), change: readBanChange(body) }
    return sendPrivately(reply, presentBan(ids, await updateBan(context, act)))
  })

  app.delete('/bans/:id', LIFT_SERVICE_BAN, async (request, reply) => {
    const { ids, caller: moderator, params } = request
    assertServiceAdmin(moderator)
    await liftBan(context, { site: null, moderator, id: readId(ids, params.id) })
    return sendPrivately(reply.code(204), undefined)
  })
}

const listOf = async (
  { context, keys }: Http,
  { ids, query }: { ids: PublicIds; query: Static<typeof bansQuery> },
  site: Site | null,
) => {
  const { kind, author_id: author, value, in_force: isInForce, limit, cursor } = query
  const siteId = site?.id ?? null
  const subject = readSubject(site && ids, keys().addresses, query)
  const binding = ['bans', siteId, kind, author, value, isInForce]
  const authorId = author === undefined ? undefined : (ids.read('author', author) ?? 0)
  const beforeId = readIdCursor(keys().cursors, binding, cursor)
  const filter = { siteId, kind, authorId, subject, isInForce, beforeId, limit }
  const { items, nextId } = await listBans(context, filter)
  return {
    items: items.map((ban) => presentBan(ids, ban)),
    next_cursor: writeIdCursor(keys().cursors, binding, nextId),
  }
}

const readId = (ids: PublicIds, id: string): number => {
  const banId = ids.read('ban', id)
  if (banId === undefined) throw new Refusal('not_found')
  return banId
}
