import { isStorable, validateUrl } from '../../domain/comment/text.ts'
import { findThreadsOfArticles } from '../../postgres/importing/find-imported.ts'
import { acquireThreadLocks, insertThreads } from '../../postgres/importing/insert-imported.ts'
import type { Store } from './store.ts'

/** A thread of the batch. A dry run has no id for a thread that it would create. */
export type Target = {
  readonly id: number
  /** The thread's number in the file. */
  readonly number: number
  readonly title: string | null
  readonly url: string | null
}

const MAX_ARTICLE_ID = 512

/** The threads of the batch, created and locked; undefined for an article that can have no thread. */
export const ensureThreads = async (store: Store): Promise<readonly (Target | undefined)[]> => {
  const { run, batch, db, tx, effects } = store
  const siteId = run.site.id
  const wanted = batch.threads.map((_, place) => wantedThread(store, place))
  const valid = wanted.flatMap((thread) => thread ?? [])
  const articleIds = valid.map(({ articleId }) => articleId)
  let found = await findThreadsOfArticles(db, siteId, articleIds)
  for (const { number, articleId } of valid)
    effects.countThread(number, found.has(articleId) ? 'threadsMatched' : 'threadsCreated')
  if (tx) {
    const missing = valid.filter(({ articleId }) => !found.has(articleId))
    if (missing.length > 0) {
      await insertThreads(tx, siteId, missing)
      found = await findThreadsOfArticles(db, siteId, articleIds)
    }
    await acquireThreadLocks(tx, siteId, [...found.values()])
  }
  return wanted.map((thread) => {
    if (!thread) return undefined
    const { number, articleId, title, url } = thread
    return { id: found.get(articleId) ?? -number, number, title, url }
  })
}

/** The thread as the file describes it. It is as old as its first comment in the batch. */
const wantedThread = ({ run, batch }: Store, place: number) => {
  const { number, address, title, isClosed } = batch.threads[place]!
  const articleId = run.articleOf(address)
  const isValid =
    isStorable(articleId) && articleId !== '' && Array.from(articleId).length <= MAX_ARTICLE_ID
  if (!isValid) return undefined
  const url = validateUrl(address)
  const times = batch.comments.flatMap((c) => (c.thread === place ? c.createdAt : []))
  const createdAt = times.reduce((one, other) => (one < other ? one : other))
  return { number, articleId, title, url: url.ok ? url.value : null, isClosed, createdAt }
}
