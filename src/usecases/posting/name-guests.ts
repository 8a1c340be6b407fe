import type { Author } from '../../domain/comment/comment.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { askForRefresh } from '../../postgres/jobs/author-tasks.ts'
import { type GuestProfile, updateGuests } from '../../postgres/people/authors.ts'

/** Guests with a token, who are held, go by the name they gave last from now on, wherever they have written. */
export const nameGuests = async (
  tx: Tx,
  siteId: number,
  {
    writers,
    profiles,
  }: {
    writers: ReadonlyMap<number, Author>
    profiles: ReadonlyMap<number, GuestProfile>
  },
): Promise<void> => {
  if (profiles.size === 0) return
  await updateGuests(tx, siteId, profiles)
  const renamed = [...profiles].flatMap(([id, { name, url }]) => {
    const before = writers.get(id)!
    return before.name === name && before.url === url ? [] : [id]
  })
  if (renamed.length > 0) await askForRefresh(tx, siteId, renamed)
}
