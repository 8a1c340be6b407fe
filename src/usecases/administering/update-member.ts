import type { Role } from '../../domain/comment/comment.ts'
import { authorJob } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import {
  updateMember as changeMember,
  findMember,
  insertMember,
  lockMemberRow,
  type Member,
} from '../../postgres/people/members.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'

export type { Member, Staff } from '../../postgres/people/members.ts'

export type MemberRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly subject: string
  readonly change: {
    readonly name?: string
    readonly url?: string | null
    readonly avatarUrl?: string | null
    readonly email?: string | null
    readonly roles?: readonly Role[]
    readonly location?: string | null
    readonly listed?: boolean
    readonly tokenRolesIgnored?: boolean
    readonly suspended?: boolean
  }
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** The member with the site's own id; refuses with `not_found`. */
export const getMember = async (context: Context, site: Site, subject: string): Promise<Member> => {
  const member = await runQuery(findMember(context.db, site.id, subject))
  if (!member) throw new Refusal('not_found')
  return member
}

/**
 * Changes a member, or creates one who has not signed on yet. The member's next token overwrites name,
 * addresses and e-mail; roles that are granted here stay. A suspension and ignored token roles take effect with
 * the member's next request on any node.
 */
export const updateMember = async <Answer>(
  context: Context,
  request: MemberRequest,
  present: (member: Member) => Answer,
): Promise<Answer> => {
  const answer = await runOnce(context, request.idempotencyKey, async (tx) =>
    present(await update(tx, request)),
  )
  context.kick('refresh_author')
  return answer
}

const update = async (tx: Tx, request: MemberRequest): Promise<Member> => {
  const { site, administrator, change } = request
  const before = await ensureMember(tx, request)
  assertMayChangeRights(before, request)
  const { roles, ...shown } = change
  const { id, tokenRoles, tokenRolesIgnored, suspended } = before
  const after = await changeMember(tx, site.id, {
    id,
    tokenRolesIgnored,
    suspended,
    ...shown,
    tokenRoles,
    grantedRoles: roles ?? before.grantedRoles,
  })
  await enqueueJob(tx, authorJob('refresh_author', { siteId: site.id, authorId: id }))
  await insertAuditEntry(tx, {
    siteId: site.id,
    action: 'member_updated',
    subject: storedId('author', id),
    by: callerIdOf(administrator),
    before: auditedOf(before),
    after: auditedOf(after),
  })
  return after
}

const auditedOf = ({ grantedRoles, listed, tokenRolesIgnored, suspendedAt }: Member) => ({
  roles: grantedRoles,
  listed,
  token_roles_ignored: tokenRolesIgnored,
  suspended_at: suspendedAt,
})

/**
 * An owner changes the rights of no owner, nor their own: one owner cannot lock the others out, and an owner
 * who is stopped cannot return by another one. An admin key can change everyone's.
 */
const assertMayChangeRights = (
  { id, tokenRoles, grantedRoles }: Member,
  { administrator, change: { roles, tokenRolesIgnored, suspended } }: MemberRequest,
): void => {
  if (administrator.kind === 'key') return
  if (roles === undefined && tokenRolesIgnored === undefined && suspended === undefined) return
  const isOwner = tokenRoles.includes('owner') || grantedRoles.includes('owner')
  if (isOwner || administrator.authorId === id) throw new Refusal('forbidden')
}

const ensureMember = async (
  tx: Tx,
  { site, subject, change: { name } }: MemberRequest,
): Promise<Member> => {
  const known = await lockMemberRow(tx, site.id, subject)
  if (known) return known
  if (name === undefined)
    throw new Refusal('invalid_request', { '/name': 'is required: there is no such member yet' })
  await insertMember(tx, site.id, { subject, name })
  return (await lockMemberRow(tx, site.id, subject))!
}
