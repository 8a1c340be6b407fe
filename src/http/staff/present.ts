import type { Staff } from '../../usecases/administering/update-member.ts'
import { avatarOf } from '../comments/present.ts'

/** For readers. */
export const presentStaff = (staff: Staff) => ({
  name: staff.name,
  location: staff.location,
  url: staff.url,
  avatar_url: avatarOf(staff),
  roles: staff.roles.filter((role) => role !== 'reader'),
})
