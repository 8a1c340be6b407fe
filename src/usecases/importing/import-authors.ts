import { authorJob } from '../../domain/job.ts'
import { findImportedAuthors } from '../../postgres/importing/find-imported.ts'
import { insertAuthors, updateImportedAuthors } from '../../postgres/importing/insert-imported.ts'
import { enqueueJobs } from '../../postgres/jobs/jobs.ts'
import type { PreparedComment } from '../../workers/importing/prepare-comments.ts'
import type { Store } from './store.ts'

/** The ids of the batch's authors by their numbers in the file. */
export type AuthorIds = ReadonlyMap<number, number | 'erased'>

const ERASED = -1

/**
 * Finds the authors of comments, or creates a guest for each. A guest whose profile changed in the other system
 * gets the new one, unless a member has the comments now.
 */
export const ensureAuthors = async (
  { run, known, db, tx, effects }: Store,
  comments: readonly PreparedComment[],
): Promise<AuthorIds> => {
  const ids = new Map<number, number | 'erased'>()
  const unknown = new Map<number, PreparedComment>()
  for (const comment of comments) {
    const id = known.authors.get(comment.authorNumber)
    if (id === ERASED) ids.set(comment.authorNumber, 'erased')
    else if (id > 0) ids.set(comment.authorNumber, id)
    else if (!unknown.has(comment.authorNumber)) unknown.set(comment.authorNumber, comment)
  }
  if (unknown.size === 0) return ids
  const at = { siteId: run.site.id, originId: known.originId }
  const wanted = [...unknown.values()].map(({ authorNumber, authorKey, profile, createdAt }) => ({
    number: authorNumber,
    sourceId: authorKey,
    createdAt,
    ...profile,
  }))
  const found = await findImportedAuthors(
    db,
    at,
    wanted.map(({ sourceId }) => sourceId),
  )
  const missing = wanted.filter(({ sourceId }) => !found.has(sourceId))
  const made = tx ? await insertAuthors(tx, at, missing) : known.planned.takeIds(missing.length)
  missing.forEach(({ number }, place) => {
    ids.set(number, made[place]!)
    effects.countAuthor(number, 'authorsCreated', made[place]!)
  })
  const changed = wanted.filter(({ sourceId, hash }) => {
    const author = found.get(sourceId)
    return author?.isGuest && !author.isErased && author.profileHash !== hash
  })
  for (const { number, sourceId } of wanted) {
    const author = found.get(sourceId)
    if (!author) continue
    ids.set(number, author.isErased ? 'erased' : author.authorId)
    effects.countAuthor(number, 'authorsMatched', author.isErased ? ERASED : author.authorId)
  }
  if (changed.length === 0 || !tx) return ids
  await updateImportedAuthors(tx, at, changed)
  const jobs = changed.map(({ sourceId }) =>
    authorJob('refresh_author', { siteId: at.siteId, authorId: found.get(sourceId)!.authorId }),
  )
  await enqueueJobs(tx, jobs)
  return ids
}
