import type { Author } from '../../domain/comment/comment.ts'
import { authorJob } from '../../domain/job.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { enqueueJobs } from '../../postgres/jobs/jobs.ts'
import { type GuestProfile, updateGuests } from '../../postgres/people/authors.ts'

type RenamedGuests = {
  /** By id; the caller holds their row locks. */
  readonly writers: ReadonlyMap<number, Author>
  readonly profiles: ReadonlyMap<number, GuestProfile>
}

/** Gives guests the profile of their latest published comment, in all comments they wrote. */
export const nameGuests = async (
  tx: Tx,
  siteId: number,
  { writers, profiles }: RenamedGuests,
): Promise<void> => {
  if (profiles.size === 0) return
  await updateGuests(tx, siteId, profiles)
  const renamedIds = [...profiles].flatMap(([id, { name, url }]) => {
    const before = writers.get(id)!
    return before.name === name && before.url === url ? [] : [id]
  })
  await enqueueJobs(
    tx,
    renamedIds.map((authorId) => authorJob('refresh_author', { siteId, authorId })),
  )
}
