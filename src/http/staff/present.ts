import type { PublicIds } from '../../domain/public-id.ts'
import type { Staff } from '../../usecases/administering/update-member.ts'
import { avatarOf } from '../comments/present.ts'

/** A member of the staff as readers see them. */
export const presentStaff = (ids: PublicIds, staff: Staff) => ({
  id: ids.write('author', staff.id),
  name: staff.name,
  location: staff.location,
  url: staff.url,
  avatar_url: avatarOf(ids, staff),
  roles: rolesOf(staff),
})

/** The roles and places that readers see beside comments of staff, by author id. */
export const presentStaffById = (ids: PublicIds, staff: readonly Staff[]) =>
  Object.fromEntries(
    staff.map((one) => [
      ids.write('author', one.id),
      { roles: rolesOf(one), location: one.location },
    ]),
  )

const rolesOf = ({ roles }: Staff) => roles.filter((role) => role !== 'reader')
