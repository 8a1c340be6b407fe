import { canonicalArticleId, isTooLong } from '../../domain/comment/article-address.ts'
import { isStorable, validateUrl } from '../../domain/comment/text.ts'
import { articleIdOn } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { findThreadsOfArticles } from '../../postgres/importing/find-imported.ts'
import { acquireThreadLocks, insertThreads } from '../../postgres/importing/insert-imported.ts'
import type { ImportRun } from './import-run.ts'
import type { Store } from './store.ts'

/** A thread of the batch. A dry run has no id for a thread that it would create. */
export type Target = {
  readonly id: number
  /** The thread's number in the file. */
  readonly number: number
  readonly title: string | null
  readonly url: string | null
}

/** The threads of the batch, created and locked; undefined for an article that can have no thread. */
export const ensureThreads = async (store: Store): Promise<readonly (Target | undefined)[]> => {
  const { run, known, batch, db, tx, effects } = store
  const siteId = run.site.id
  const wanted = batch.threads.map((_, place) => wantedThread(store, place))
  const valid = wanted.flatMap((thread) => thread ?? [])
  const found = await findThreadsOfArticles(
    db,
    siteId,
    valid.flatMap(({ names }) => names),
  )
  const idOf = ({ names }: Wanted, found: ReadonlyMap<string, number>): number | undefined =>
    names.map((name) => found.get(name)).find((id) => id !== undefined)
  const made = new Set<string>()
  for (const thread of valid) {
    const [name] = thread.names as [string]
    const isKnown = idOf(thread, found) !== undefined || known.articles.has(name) || made.has(name)
    effects.countThread(thread.number, isKnown ? 'threadsMatched' : 'threadsCreated')
    made.add(name)
  }
  effects.afterCommit(({ articles }) => {
    for (const name of made) articles.add(name)
  })
  const missing = valid.filter((thread) => idOf(thread, found) === undefined)
  const fresh = tx && missing.length > 0 ? await makeThreads(tx, siteId, missing) : new Map()
  const ids = wanted.map((thread) => thread && (idOf(thread, found) ?? idOf(thread, fresh)))
  if (tx)
    await acquireThreadLocks(
      tx,
      siteId,
      ids.flatMap((id) => id ?? []),
    )
  // Addresses of one article share its thread.
  const targets = new Map<number, Target>()
  return wanted.map((thread, at) => {
    if (!thread) return undefined
    const { number, title, url } = thread
    const id = ids[at] ?? -number
    const target = targets.get(id) ?? { id, number, title, url }
    targets.set(id, target)
    return target
  })
}

const makeThreads = async (tx: Tx, siteId: number, missing: readonly Wanted[]) => {
  const threads = missing.map(({ names, ...thread }) => ({ ...thread, articleId: names[0]! }))
  await insertThreads(tx, siteId, threads)
  return findThreadsOfArticles(
    tx,
    siteId,
    threads.map(({ articleId }) => articleId),
  )
}

type Wanted = NonNullable<ReturnType<typeof wantedThread>>

/** The thread as the file describes it. It is as old as its first comment in the batch. */
const wantedThread = ({ run, batch }: Store, place: number) => {
  const { number, address, title, isClosed } = batch.threads[place]!
  const names = namesOf(run, address)
  if (!names.every(isArticleId)) return undefined
  const url = validateUrl(address)
  const times = batch.comments.flatMap((c) => (c.thread === place ? c.createdAt : []))
  const createdAt = times.reduce((one, other) => (one < other ? one : other))
  return { number, names, title, url: url.ok ? url.value : null, isClosed, createdAt }
}

/** The ids under which the site may know an article. The first names a new thread. */
const namesOf = ({ site, articleOf }: ImportRun, address: string): readonly string[] => {
  const given = articleOf(address)
  if (given !== undefined) return [articleIdOn(site, given)]
  const canonical = canonicalArticleId(address)
  const own = articleIdOn(site, address)
  return own === canonical && own === address ? [own] : [own, canonical, `${canonical}/`]
}

const isArticleId = (id: string): boolean => isStorable(id) && id !== '' && !isTooLong(id)
