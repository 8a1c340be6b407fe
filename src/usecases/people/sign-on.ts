import { authorJob } from '../../domain/job.ts'
import { type Caller, scopeOf } from '../../domain/people/caller.ts'
import type { MemberProfile } from '../../domain/people/sign-on.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import {
  findMember,
  insertMember,
  isErasedSince,
  lockMemberRow,
  type Member,
  updateMember,
} from '../../postgres/people/members.ts'
import type { Context } from '../context.ts'

type SignOnRequest = {
  readonly siteId: number
  readonly profile: MemberProfile
  /** What stands for the subject once it is erased. */
  readonly erasedSubject: Buffer
}

/**
 * Who holds a member's token that has been checked. Whoever comes for the first time is made, and a
 * newer token brings its profile along; an older one changes nothing. Roles are those of the newest
 * token and those that administrators gave. Refuses with `invalid_token` when the token is from before
 * the member was erased.
 */
export const signOn = async (
  context: Context,
  request: SignOnRequest,
): Promise<Extract<Caller, { kind: 'member' }>> => {
  const { siteId, profile } = request
  const known = await runQuery(findMember(context.db, siteId, profile.subject))
  const member = known && isKnown(known, profile) ? known : await learn(context, request)
  const scope = scopeOf([...member.tokenRoles, ...member.grantedRoles])
  const { email, hasShadowed } = member
  return { kind: 'member', authorId: member.id, scope, email, hasShadowed }
}

const isKnown = (member: Member, profile: MemberProfile): boolean =>
  isOlder(profile, member) ||
  (member.signedOnAt === profile.issuedAt &&
    !isShownOtherwise(member, profile) &&
    member.email === profile.email &&
    member.emailVerified === profile.emailVerified &&
    member.tokenRoles.join() === profile.roles.join())

const isOlder = (profile: MemberProfile, { signedOnAt }: Member): boolean =>
  signedOnAt !== null && profile.issuedAt < signedOnAt

const isShownOtherwise = (
  { name, url, avatarUrl }: Member,
  profile: Pick<MemberProfile, 'name' | 'url' | 'avatarUrl'>,
): boolean => name !== profile.name || url !== profile.url || avatarUrl !== profile.avatarUrl

const learn = async (context: Context, request: SignOnRequest): Promise<Member> => {
  const member = await inTransaction(context.writes, (tx) => learnIn(tx, request))
  context.kick('refresh_author')
  return member
}

const learnIn = async (tx: Tx, request: SignOnRequest): Promise<Member> => {
  const { siteId, profile } = request
  const before =
    (await lockMemberRow(tx, siteId, profile.subject)) ?? (await insertAndHold(tx, request))
  if (isOlder(profile, before)) return before
  const { subject: _, issuedAt: signedOnAt, roles, ...shown } = profile
  const { id, grantedRoles } = before
  const change = { id, ...shown, signedOnAt, tokenRoles: roles, grantedRoles }
  const after = await updateMember(tx, siteId, change)
  if (isShownOtherwise(before, profile) || before.role !== after.role)
    await enqueueJob(tx, authorJob('refresh_author', { siteId, authorId: id }))
  return after
}

const insertAndHold = async (
  tx: Tx,
  { siteId, profile, erasedSubject }: SignOnRequest,
): Promise<Member> => {
  const { subject, name, issuedAt: since } = profile
  if (await isErasedSince(tx, siteId, { erasedSubject, since })) throw new Refusal('invalid_token')
  await insertMember(tx, siteId, { subject, name })
  const made = await lockMemberRow(tx, siteId, subject)
  if (!made) throw new Refusal('invalid_token')
  return made
}
