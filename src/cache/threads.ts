import { LRUCache } from 'lru-cache'
import { createBatcher } from '../domain/batcher.ts'
import { type CacheTokens, threadToken } from '../domain/cache-tokens.ts'
import type { Thread } from '../domain/comment/comment.ts'
import { withDeadline } from '../domain/deadline.ts'
import { Refusal } from '../domain/refusal.ts'
import { createStaleIfError } from './stale-if-error.ts'

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
  readonly tokens: CacheTokens
  /** Reads the visible threads from Postgres, in the order of the questions. Rejects with Refusals. */
  readonly load: (questions: readonly ThreadQuestion[]) => Promise<(Thread | undefined)[]>
  readonly maxThreads?: number
}

/** A hide that could not be announced waits longer than this. */
const LIFETIME_MS = 1_000
const REFRESH_AFTER_MS = 500
/** A question may wait for the one before it, and a caller has its answer, or none, within 3 s. */
const GIVE_UP_MS = 2_800
const MAX_THREADS = 50_000

/** What was learned of a thread: `at` is before Postgres was asked, `token` was read before that. */
type Known = { readonly thread: Thread; readonly token: string; readonly at: number }

export const createThreadCache = ({
  tokens,
  load,
  maxThreads = MAX_THREADS,
}: Options): ThreadCache => {
  const known = new LRUCache<string, Known>({ max: maxThreads })
  const ids = new LRUCache<string, number>({ max: maxThreads })
  const refreshing = new Set<string>()
  const askAtLeisure = createBatcher(async (questions: readonly ThreadQuestion[]) => {
    const at = performance.now()
    return (await load(questions)).map((thread) => ({ thread, at }))
  }, keyOf)
  const ask = (question: ThreadQuestion) =>
    withDeadline(GIVE_UP_MS, askAtLeisure(question), () => new Refusal('unavailable'))
  const patiently = createStaleIfError()

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
    if (refreshing.has(name)) return
    refreshing.add(name)
    byId(question, token)
      .catch(() => {})
      .finally(() => refreshing.delete(name))
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
      if (age >= LIFETIME_MS) {
        // Its token is still the one: it stays good, however old, while Postgres does not answer.
        const unconfirmed = { thread: entry.thread, isConfirmed: false }
        const runQuery = async () => confirmed(await learn(question, id, token))
        return patiently<FoundThread | undefined>(runQuery, () => unconfirmed)
      }
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
