import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { getMember, updateMember } from '../../usecases/administering/update-member.ts'
import { searchMembers } from '../../usecases/people/search-people.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendWrite } from '../edge/responses.ts'
import { readCursor, writeCursor } from '../wire/cursors.ts'
import { readMemberFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentMember } from './present.ts'
import { Member, MemberChange, MembersPage, personFilter } from './schemas.ts'

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

const SEARCH_MEMBERS = op.operation({
  tag: 'Administration',
  credential: 'needed',
  id: 'searchMembers',
  summary: 'Search the members of a site',
  description:
    'Administrators find members by name, role or suspension, latest first. Each page searches a ' +
    'limited number of members, so it can be empty and still have a `next_cursor`.',
  params: object(op.siteParams),
  query: object({ ...personFilter, ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(MembersPage) },
  refusals: ['invalid_cursor'],
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
    'URLs and e-mail, but not the roles set here. An owner cannot change the rights of an owner or of ' +
    'themselves; an `admin` key can. A change of rights applies to the next request on every node.',
  body: ref(MemberChange),
  answers: { 200: ref(Member) },
  limit: 'write',
  once: true,
})

export const addMemberRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/members', SEARCH_MEMBERS, async (request, reply) => {
    assertScope(request.caller, 'admin')
    const { name, q, role, suspended: isSuspended, limit, cursor } = request.query
    const siteId = request.site.id
    const filter = { name, q, role, isSuspended }
    const binding = ['members', siteId, ...Object.values(filter)]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const { items, next } = await searchMembers(context, { siteId, ...filter, after, limit })
    return sendPrivately(reply, {
      items: items.map((member) => presentMember(request.ids, member)),
      next_cursor: next && writeCursor(keys().cursors, binding, { sort: '', after: next }),
    })
  })

  app.get('/sites/:site/members/:subject', GET_MEMBER, async (request, reply) => {
    assertScope(request.caller, 'admin')
    return sendPrivately(
      reply,
      presentMember(request.ids, await getMember(context, request.site, request.params.subject)),
    )
  })

  app.patch('/sites/:site/members/:subject', UPDATE_MEMBER, async (request, reply) => {
    const { site, caller: administrator, params, body } = request
    assertScope(administrator, 'admin')
    const { roles, listed, suspended, token_roles_ignored: tokenRolesIgnored } = body
    const change = {
      ...readMemberFields(body),
      ...(roles !== undefined && { roles }),
      ...(listed !== undefined && { listed }),
      ...(tokenRolesIgnored !== undefined && { tokenRolesIgnored }),
      ...(suspended !== undefined && { suspended }),
    }
    const idempotencyKey = readIdempotencyKey(request as FastifyRequest)
    const { subject } = params
    const answer = await updateMember(
      context,
      { site, administrator, subject, change, idempotencyKey },
      (changed) => ({ status: 200, headers: {}, body: presentMember(request.ids, changed) }),
    )
    return sendWrite(reply, answer)
  })
}
