import type { Member, Staff } from '../../usecases/administering/update-member.ts'
import { avatarOf, presentAuthor } from '../comments/present.ts'

/** For administrators. */
export const presentMember = (member: Member) => ({
  author: presentAuthor(member),
  subject: member.subject,
  email: member.email,
  email_verified: member.emailVerified,
  token_roles: [...member.tokenRoles],
  roles: [...member.grantedRoles],
  location: member.location,
  listed: member.listed,
  created_at: member.createdAt,
  signed_on_at: member.signedOnAt,
})

/** For readers. */
export const presentStaff = (staff: Staff) => ({
  name: staff.name,
  location: staff.location,
  url: staff.url,
  avatar_url: avatarOf(staff),
  roles: staff.roles.filter((role) => role !== 'reader'),
})
