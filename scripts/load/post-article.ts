import { createHash } from 'node:crypto'
import { type Client, Refused } from './client.ts'
import { type Article, type Entry, nameOf } from './file.ts'
import { articlePath, readThread } from './read-back.ts'
import { recognise } from './recognise.ts'

/**
 * Posts the comments that the thread lacks, one after the other, so that a killed run leaves the beginning
 * of each article. Calls `done` for every comment with whether it is new.
 */
export const postArticle = async (
  client: Client,
  { id, entries }: Article,
  done: (isNew: boolean) => void,
): Promise<void> => {
  const ids = recognise(entries, await readThread(client, id))
  for (const entry of entries) {
    const isNew = !ids.has(entry.ref)
    if (isNew) ids.set(entry.ref, await post(client, entry, ids))
    done(isNew)
  }
}

const post = async (client: Client, entry: Entry, ids: Map<string, string>): Promise<string> => {
  const { articleId, parentRef, name, url, body } = entry
  const parent = parentRef === null ? {} : { parent_id: ids.get(parentRef)! }
  const comment = { body, author: { name, url }, ...parent }
  try {
    const path = `${articlePath(articleId)}/comments`
    const answer = await client.post(path, comment, idempotencyKey(entry))
    if (answer.status === 201) return answer.body.id
  } catch (error) {
    if (error instanceof Refused)
      throw new Refused(`${nameOf(entry)} was refused: ${error.message}`)
    throw error
  }
  throw new Refused(
    `${nameOf(entry)} is held for a moderator: load while the site publishes at once`,
  )
}

/** A comment has the same Idempotency-Key in every run, so the service posts it once within 24 hours. */
const idempotencyKey = ({ articleId, ref, parentRef, name, url, body }: Entry): string =>
  createHash('sha256')
    .update(JSON.stringify([articleId, ref, parentRef, name, url, body]))
    .digest('base64url')
