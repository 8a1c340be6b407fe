import { authorJob } from '../../domain/job.ts'
import { type Caller, rolesOf, scopeWith } from '../../domain/people/caller.ts'
import type { MemberProfile } from '../../domain/people/sign-on.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import {
  findErasure,
  findMember,
  insertMember,
  lockMemberRow,
  type Member,
  updateMember,
} from '../../postgres/people/members.ts'
import type { Context } from '../context.ts'

type SignOnRequest = {
  readonly siteId: number
  readonly profile: MemberProfile
  /** The hashes of which one replaces the subject of an erased member. */
  readonly erasedSubjects: readonly Buffer[]
}

/**
 * Returns the member of a verified member token. Creates the member for the first token, and updates the
 * profile for a newer token; an older token changes nothing, and its caller has only rights that it carries
 * too. Refuses with `invalid_token` a token from before the member's erasure, and with `member_suspended`
 * every token of a suspended member.
 */
export const signOn = async (
  context: Context,
  request: SignOnRequest,
): Promise<Extract<Caller, { kind: 'member' }>> => {
  const { siteId, profile } = request
  const stored = await runQuery(findMember(context.db, siteId, profile.subject))
  if (stored) assertNotSuspended(stored)
  const member =
    stored && isUpToDate(stored, profile) ? stored : await storeProfile(context, request)
  const scope = scopeWith(profile.roles, member)
  const { email, hasShadowed } = member
  return { kind: 'member', authorId: member.id, scope, email, hasShadowed }
}

const assertNotSuspended = ({ suspended }: Pick<Member, 'suspended'>): void => {
  if (suspended) throw new Refusal('member_suspended')
}

const isUpToDate = (member: Member, profile: MemberProfile): boolean =>
  isOlder(profile, member) ||
  (member.signedOnAt === profile.issuedAt &&
    !looksDifferent(member, profile) &&
    member.email === profile.email &&
    member.emailVerified === profile.emailVerified &&
    member.tokenRoles.join() === profile.roles.join())

const isOlder = (profile: MemberProfile, { signedOnAt }: Member): boolean =>
  signedOnAt !== null && profile.issuedAt < signedOnAt

const looksDifferent = (
  { name, url, avatarUrl }: Member,
  profile: Pick<MemberProfile, 'name' | 'url' | 'avatarUrl'>,
): boolean => name !== profile.name || url !== profile.url || avatarUrl !== profile.avatarUrl

const storeProfile = async (context: Context, request: SignOnRequest): Promise<Member> => {
  const member = await inTransaction(context.writes, (tx) => storeProfileIn(tx, request))
  context.kick('refresh_author')
  return member
}

const storeProfileIn = async (tx: Tx, request: SignOnRequest): Promise<Member> => {
  const { siteId, profile } = request
  const before =
    (await lockMemberRow(tx, siteId, profile.subject)) ?? (await insertAndLock(tx, request))
  assertNotSuspended(before)
  if (isOlder(profile, before)) return before
  const { subject: _, issuedAt: signedOnAt, roles, ...visible } = profile
  const { id, grantedRoles, tokenRolesIgnored, suspended } = before
  const rights = { tokenRoles: roles, grantedRoles, tokenRolesIgnored, suspended }
  const change = { id, ...visible, signedOnAt, ...rights }
  const after = await updateMember(tx, siteId, change)
  if (looksDifferent(before, profile) || rolesOf(before).join() !== rolesOf(after).join())
    await enqueueJob(tx, authorJob('refresh_author', { siteId, authorId: id }))
  return after
}

const insertAndLock = async (
  tx: Tx,
  { siteId, profile, erasedSubjects }: SignOnRequest,
): Promise<Member> => {
  const { subject, name, issuedAt } = profile
  const erasure = await findErasure(tx, siteId, erasedSubjects)
  if (erasure) {
    assertNotSuspended(erasure)
    if (erasure.erasedAt >= issuedAt) throw new Refusal('invalid_token')
  }
  const tokenRolesIgnored = erasure?.tokenRolesIgnored ?? false
  await insertMember(tx, siteId, { subject, name, tokenRolesIgnored })
  const member = await lockMemberRow(tx, siteId, subject)
  if (!member) throw new Refusal('invalid_token')
  return member
}
