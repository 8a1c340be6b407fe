import type { PublicIds } from '../../domain/public-id.ts'
import type { Member } from '../../usecases/administering/update-member.ts'
import { presentAuthor } from '../comments/present.ts'

/** A member as administrators see it. */
export const presentMember = (ids: PublicIds, member: Member) => ({
  author: presentAuthor(ids, member),
  subject: member.subject,
  email: member.email,
  email_verified: member.emailVerified,
  token_roles: [...member.tokenRoles],
  roles: [...member.grantedRoles],
  token_roles_ignored: member.tokenRolesIgnored,
  suspended_at: member.suspendedAt,
  location: member.location,
  listed: member.listed,
  created_at: member.createdAt,
  signed_on_at: member.signedOnAt,
})
