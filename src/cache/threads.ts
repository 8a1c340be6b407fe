import { LRUCache } from 'lru-cache'
import { atMost } from '../domain/at-most.ts'
import { createBatcher } from '../domain/batcher.ts'
import { type CacheTokens, threadToken } from '../domain/cache-tokens.ts'
import type { Thread } from '../domain/comment/comment.ts'
import { withDeadline } from '../domain/deadline.ts'
import { Refusal } from '../domain/refusal.ts'
import { createStaleIfError } from './stale-if-error.ts'

type ByArticle = { readonly siteId: number; readonly articleId: string }
type ById = { readonly siteId: number; readonly id: number }
/** Names a thread by its article or by its own id. */
export type ThreadQuery = ByArticle | ById

/** A visible thread. `isConfirmed` is false if Postgres did not answer and the thread is cached. */
export type FoundThread = { readonly thread: Thread; readonly isConfirmed: boolean }

export type ThreadCache = {
  /**
   * Returns the visible thread as it is now or later; undefined if there is none. A cached thread is
   * current for a second, while its cache token is the one read before the thread was loaded.
   * @param minVersion a version that the caller knows of: an older cached thread is loaded again
   */
  find: (query: ThreadQuery, minVersion: number) => Promise<FoundThread | undefined>
}

type Options = {
  readonly cacheTokens: CacheTokens
  /** Loads the visible threads from Postgres, in the order of the queries. Rejects with Refusals. */
  readonly load: (queries: readonly ThreadQuery[]) => Promise<(Thread | undefined)[]>
  readonly maxThreads?: number
}

/** A hide whose invalidation fails waits longer than this. */
const LIFETIME_MS = 1_000
const REFRESH_AFTER_MS = 500
/** A query can wait for the one before it, and the caller has a response within 3 s. */
const GIVE_UP_MS = 2_800
const MAX_THREADS = 50_000

type Token = string | undefined

/** The cached thread of an article. An alias names the thread only while the cache token stays the same. */
type Known = {
  readonly id: number
  readonly alias: { readonly token: Token; readonly at: number } | undefined
}

/** A cached thread: `at` is a time before the query, `token` was read before that. */
type Entry = { readonly thread: Thread; readonly token: string; readonly at: number }

export const createThreadCache = (options: Options): ThreadCache => {
  const { cacheTokens } = options
  const { entries, findKnown, loadByArticle, reload, refresh } = createLoader(options)
  const staleIfError = createStaleIfError()

  const isCurrent = (
    entry: Entry,
    query: ThreadQuery,
    { alias }: Known,
    minVersion: number,
  ): boolean =>
    entry.at >= cacheTokens.trustedFrom() &&
    entry.thread.version >= minVersion &&
    (alias
      ? alias.token === entry.token && alias.at >= cacheTokens.trustedFrom()
      : 'id' in query || entry.thread.articleId === query.articleId)

  return {
    find: async (query, minVersion) => {
      const { siteId } = query
      const known = findKnown(query)
      if (known === undefined) return confirmed(await loadByArticle(query as ByArticle))
      const { id } = known
      const name = threadToken(siteId, id)
      const token = await cacheTokens.find(name)
      const loadConfirmed = async () => confirmed(await reload(query, known, token))
      const entry = entries.get(name)
      if (entry?.token !== token || !entry || !isCurrent(entry, query, known, minVersion))
        return loadConfirmed()
      const age = performance.now() - entry.at
      if (age >= LIFETIME_MS) {
        // The token is unchanged, so the cached thread can be served at any age while Postgres is away.
        const unconfirmed = { thread: entry.thread, isConfirmed: false }
        return staleIfError<FoundThread | undefined>(loadConfirmed, () => unconfirmed)
      }
      if (age >= REFRESH_AFTER_MS) refresh({ siteId, id }, entry.token)
      return { thread: entry.thread, isConfirmed: true }
    },
  }
}

/** Loads threads from Postgres and keeps them under the cache tokens that were read before. */
const createLoader = ({ cacheTokens, load, maxThreads = MAX_THREADS }: Options) => {
  const entries = new LRUCache<string, Entry>(atMost(maxThreads))
  const articles = new LRUCache<string, Known>(atMost(maxThreads))
  const refreshing = new Set<string>()
  const loadInBatch = createBatcher(async (queries: readonly ThreadQuery[]) => {
    const at = performance.now()
    return (await load(queries)).map((thread) => ({ thread, at }))
  }, keyOf)
  const loadInTime = (query: ThreadQuery) =>
    withDeadline(GIVE_UP_MS, loadInBatch(query), () => new Refusal('unavailable'))

  /** @param before what was known of the article, and the cache token of its thread */
  const loadByArticle = async (
    query: ByArticle,
    before?: { id: number; token: Token },
  ): Promise<Thread | undefined> => {
    const { thread, at } = await loadInTime(query)
    if (!thread) {
      articles.delete(keyOf(query))
      return undefined
    }
    const { id } = thread
    const isAlias = thread.articleId !== query.articleId
    const token = before?.id === id ? before.token : undefined
    articles.set(keyOf(query), { id, alias: isAlias ? { token, at } : undefined })
    if (isAlias && before?.id === id) keep(threadToken(query.siteId, id), { thread, token, at })
    return thread
  }

  const keep = (name: string, { token, ...loaded }: Omit<Entry, 'token'> & { token: Token }) => {
    if (token === undefined) cacheTokens.offer(name)
    else if (loaded.at >= cacheTokens.trustedFrom()) entries.set(name, { ...loaded, token })
  }

  const loadById = async (query: ById, token: Token): Promise<Thread | undefined> => {
    const { thread, at } = await loadInTime(query)
    const name = threadToken(query.siteId, query.id)
    if (!thread) {
      // The thread is hidden: its cached copy must not be served when Postgres does not answer.
      entries.delete(name)
      return undefined
    }
    keep(name, { thread, token, at })
    return thread
  }

  /** Loads by the known id; if the article has another thread by now, loads by the article. */
  const reload = async (query: ThreadQuery, { id, alias }: Known, token: Token) => {
    if (alias) return loadByArticle(query as ByArticle, { id, token })
    const thread = await loadById({ siteId: query.siteId, id }, token)
    return 'id' in query || thread?.articleId === query.articleId ? thread : loadByArticle(query)
  }

  const refresh = (query: ById, token: string): void => {
    const name = threadToken(query.siteId, query.id)
    if (refreshing.has(name)) return
    refreshing.add(name)
    loadById(query, token)
      .catch(() => {})
      .finally(() => refreshing.delete(name))
  }

  const findKnown = (query: ThreadQuery): Known | undefined =>
    'id' in query ? { id: query.id, alias: undefined } : articles.get(keyOf(query))
  return { entries, findKnown, loadByArticle, reload, refresh }
}

const keyOf = (query: ThreadQuery): string =>
  'id' in query ? `${query.siteId} ${query.id}` : `${query.siteId}:${query.articleId}`

const confirmed = (thread: Thread | undefined): FoundThread | undefined =>
  thread && { thread, isConfirmed: true }
