import type { PublicIds } from '../../domain/public-id.ts'
import type { Staff } from '../../usecases/administering/update-member.ts'
import { avatarOf } from '../comments/present.ts'

/** A member of the staff as readers see them. */
export const presentStaff = (ids: PublicIds, staff: Staff) => ({
  name: staff.name,
  location: staff.location,
  url: staff.url,
  avatar_url: avatarOf(ids, staff),
  roles: staff.roles.filter((role) => role !== 'reader'),
})
