import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { getMember, updateMember } from '../../usecases/administering/update-member.ts'
import { listStaff } from '../../usecases/reading/lists.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import {
  encodingOf,
  sendPage,
  sendPrivately,
  sendWrite,
  toHashedPage,
  variantOf,
} from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import { readMemberFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentMember, presentStaff } from './present.ts'
import { Member, MemberChange, StaffPage } from './schemas.ts'

const member = {
  tag: 'Administration',
  credential: 'needed',
  params: object({
    ...op.siteParams,
    subject: Type.String({
      minLength: 1,
      maxLength: 255,
      description: "The site's own id of the member: the `sub` of its token.",
    }),
  }),
  query: op.NO_QUERY,
} as const

const LIST_STAFF = op.operation({
  id: 'listStaff',
  tag: 'Reading',
  summary: "List a site's public staff",
  description:
    'Anyone may call it; it returns the members that an administrator has chosen to list, with ' +
    'their roles. Having a role does not list a member by itself.',
  params: object(op.siteParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(StaffPage) },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

const GET_MEMBER = op.operation({
  ...member,
  id: 'getMember',
  summary: 'Get a member',
  description:
    'Administrators may look up a member by `subject`, the id in your own user database. ' +
    '`author.id` in the response is the id used for comments and exports.',
  body: op.NO_BODY,
  answers: { 200: ref(Member) },
  limit: 'read',
})

const UPDATE_MEMBER = op.operation({
  ...member,
  id: 'updateMember',
  summary: 'Update a member',
  description:
    'Administrators may set profile, roles, location and staff listing; only the fields sent ' +
    'change, and an unknown member is created (with a `name`). The next sign-on replaces name, ' +
    'URLs and e-mail, but not the roles set here.',
  body: ref(MemberChange),
  answers: { 200: ref(Member) },
  limit: 'write',
  once: true,
})

export const addMemberRoutes = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/staff', LIST_STAFF, async (request, reply) => {
    const { site, query } = request
    const { limit, cursor } = query
    const binding = ['staff', site.id]
    const afterId = readIdCursor(keys().cursors, binding, cursor) ?? 0
    const name = { site: site.id, variant: variantOf(http, site, [...binding, afterId, limit]) }
    const page = await context.lists.page(name, encodingOf(request), async () => {
      const { items, nextId } = await listStaff(context, { siteId: site.id, afterId, limit })
      const next = writeIdCursor(keys().cursors, binding, nextId)
      return toHashedPage(next, { items: items.map(presentStaff), next_cursor: next })
    })
    return sendPage(request, reply, page)
  })

  app.get('/sites/:site/members/:subject', GET_MEMBER, async (request, reply) => {
    assertScope(request.caller, 'admin')
    return sendPrivately(
      reply,
      presentMember(await getMember(context, request.site, request.params.subject)),
    )
  })

  app.patch('/sites/:site/members/:subject', UPDATE_MEMBER, async (request, reply) => {
    const { site, caller: administrator, params, body } = request
    assertScope(administrator, 'admin')
    const { roles, listed } = body
    const change = {
      ...readMemberFields(body),
      ...(roles !== undefined && { roles }),
      ...(listed !== undefined && { listed }),
    }
    const claim = readIdempotencyKey(request as FastifyRequest)
    const { subject } = params
    const answer = await updateMember(
      context,
      { site, administrator, subject, change, claim },
      (changed) => ({ status: 200, headers: {}, body: presentMember(changed) }),
    )
    return sendWrite(reply, answer)
  })
}
