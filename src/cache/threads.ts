import { LRUCache } from 'lru-cache'
import { createBatcher } from '../domain/batcher.ts'
import type { Thread } from '../domain/comment.ts'
import { type Tokens, threadToken } from '../domain/tokens.ts'

type ByArticle = { readonly siteId: number; readonly articleId: string }
type ById = { readonly siteId: number; readonly id: number }
/** Which thread is meant: by its article, or by its own id. */
export type ThreadQuestion = ByArticle | ById

/** A visible thread. `isConfirmed` is false when Postgres could not be asked once more. */
export type FoundThread = { readonly thread: Thread; readonly isConfirmed: boolean }

export type ThreadCache = {
  /**
   * The visible thread, as it is at this moment or later; undefined when there is none. What is
   * remembered counts as long as its token is still the one it was learned under, for a second.
   * @param atLeast a version that the caller knows of: nothing older is remembered for it
   */
  find: (question: ThreadQuestion, atLeast: number) => Promise<FoundThread | undefined>
}

type Options = {
  readonly tokens: Tokens
  /** Reads the visible threads from Postgres, in the order of the questions. Rejects with Refusals. */
  readonly load: (questions: readonly ThreadQuestion[]) => Promise<(Thread | undefined)[]>
}

/** A hide that could not be announced waits longer than this. */
const LIFETIME_MS = 1_000
const REFRESH_AFTER_MS = 500
/** So long a reader waits for Postgres when it could go by what is remembered. */
const PATIENCE_MS = 250
/** After a failure Postgres is asked nothing more about what is remembered for so long. */
const PAUSE_MS = 1_000
const MAX_THREADS = 50_000
const MAX_ARTICLES = 50_000

/** What was learned of a thread: `at` is before Postgres was asked, `token` was read before that. */
type Known = { readonly thread: Thread; readonly token: string; readonly at: number }

export const createThreadCache = ({ tokens, load }: Options): ThreadCache => {
  const known = new LRUCache<string, Known>({ max: MAX_THREADS })
  const ids = new LRUCache<string, number>({ max: MAX_ARTICLES })
  const refreshing = new Set<string>()
  const ask = createBatcher(async (questions: readonly ThreadQuestion[]) => {
    const at = performance.now()
    return (await load(questions)).map((thread) => ({ thread, at }))
  }, keyOf)
  let pausedUntil = 0

  const byArticle = async (question: ByArticle): Promise<Thread | undefined> => {
    const { thread } = await ask(question)
    if (thread) ids.set(keyOf(question), thread.id)
    else ids.delete(keyOf(question))
    return thread
  }

  /** Remembers what Postgres says under the token that was read before it was asked. */
  const byId = async (question: ById, token: string | undefined): Promise<Thread | undefined> => {
    const { thread, at } = await ask(question)
    const name = threadToken(question.siteId, question.id)
    if (!thread) {
      // Hidden: it must not come back when Postgres does not answer the next time.
      known.delete(name)
      return undefined
    }
    if (token === undefined) tokens.offer(name)
    else if (at >= tokens.trustedFrom()) known.set(name, { thread, token, at })
    return thread
  }

  /** By the id that the article's thread had; by the article when that is no longer so. */
  const learn = async (question: ThreadQuestion, id: number, token: string | undefined) => {
    const thread = await byId({ siteId: question.siteId, id }, token)
    return 'id' in question || thread?.articleId === question.articleId
      ? thread
      : byArticle(question)
  }

  const refresh = (question: ById, token: string): void => {
    const name = threadToken(question.siteId, question.id)
    if (refreshing.has(name) || performance.now() < pausedUntil) return
    refreshing.add(name)
    byId(question, token)
      .catch(() => {})
      .finally(() => refreshing.delete(name))
  }

  /** What is remembered stays good, however old, for as long as Postgres does not answer. */
  const orRemembered = (learning: () => Promise<Thread | undefined>, { thread }: Known) => {
    const unconfirmed = { thread, isConfirmed: false }
    if (performance.now() < pausedUntil) return unconfirmed
    const giveUp = () => {
      pausedUntil = performance.now() + PAUSE_MS
      return unconfirmed
    }
    return orAfter(PATIENCE_MS, learning().then(confirmed, giveUp), giveUp)
  }

  return {
    find: async (question, atLeast) => {
      const { siteId } = question
      const id = 'id' in question ? question.id : ids.get(keyOf(question))
      if (id === undefined) return confirmed(await byArticle(question as ByArticle))
      const token = await tokens.find(threadToken(siteId, id))
      const entry = known.get(threadToken(siteId, id))
      const isGood =
        entry?.token === token &&
        entry !== undefined &&
        entry.at >= tokens.trustedFrom() &&
        entry.thread.version >= atLeast &&
        ('id' in question || entry.thread.articleId === question.articleId)
      if (!isGood) return confirmed(await learn(question, id, token))
      const age = performance.now() - entry.at
      if (age >= LIFETIME_MS) return orRemembered(() => learn(question, id, token), entry)
      if (age >= REFRESH_AFTER_MS) refresh({ siteId, id }, entry.token)
      return { thread: entry.thread, isConfirmed: true }
    },
  }
}

const keyOf = (question: ThreadQuestion): string =>
  'id' in question
    ? `${question.siteId} ${question.id}`
    : `${question.siteId}:${question.articleId}`

const confirmed = (thread: Thread | undefined): FoundThread | undefined =>
  thread && { thread, isConfirmed: true }

const orAfter = <T>(ms: number, promise: Promise<T>, fallback: () => T): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(fallback()), ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
