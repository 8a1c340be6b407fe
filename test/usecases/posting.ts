import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { createLocalCacheTokens } from '../../src/cache/cache-tokens.ts'
import type { CacheTokens } from '../../src/domain/cache-tokens.ts'
import type { Caller } from '../../src/domain/people/caller.ts'
import type { CommentKey } from '../../src/domain/public-id.ts'
import { Refusal } from '../../src/domain/refusal.ts'
import { UNKNOWN_SENDER } from '../../src/domain/site/check.ts'
import type { Site } from '../../src/domain/site/site.ts'
import { createDb, type Db } from '../../src/postgres/connection/db.ts'
import { findSite } from '../../src/postgres/service/sites.ts'
import type { Context } from '../../src/usecases/context.ts'
import {
  type Posted,
  type PostRequest,
  postComment,
} from '../../src/usecases/posting/post-comment.ts'
import type { FlagRequest } from '../../src/usecases/voting/flag-comment.ts'
import {
  createTestContext,
  openService,
  type ServiceOptions,
  type Teardown,
  type TestService,
} from '../service.ts'

/** Calls `postComment` without HTTP, so that posts arrive in a known order, in one tick. */

export const ARTICLE = 'hot'

export type Some = Partial<Omit<PostRequest, 'site'>> & { readonly site?: Partial<Site> }

/** The presented post, or the code of its refusal. */
export type Result = Posted | string

export type Posting = {
  readonly service: TestService
  readonly site: Site
  /** The names of cache tokens, one list for each invalidation. */
  readonly invalidations: string[][]
  /** Posts concurrently, in this order. */
  readonly post: (posts: readonly Some[], node?: Context) => Promise<Result[]>
  /** As `post`, and throws if a post is refused. */
  readonly publish: (posts: readonly Some[], node?: Context) => Promise<Posted[]>
  /** As `publish`, but a post may wait for others until it is refused, which leaves nothing behind. */
  readonly crowd: (posts: readonly Some[], node: Context) => Promise<void>
}

export const openPosting = async (t: Teardown, options: ServiceOptions = {}): Promise<Posting> => {
  const invalidations: string[][] = []
  const local = createLocalCacheTokens(randomUUID)
  const tokens: CacheTokens = {
    ...local,
    invalidate: (names) => {
      invalidations.push([...names])
      return local.invalidate(names)
    },
  }
  const service = await openService(t, { ...options, tokens })
  const site = (await findSite(service.db, 'default'))!
  const post = (posts: readonly Some[], node: Context = service) =>
    Promise.all(posts.map((some) => postOne(node, site, some)))
  const publish = async (posts: readonly Some[], node: Context = service) => {
    const results = await post(posts, node)
    return results.map((result) => {
      if (typeof result === 'string') throw new Error(`posting: ${result}`)
      return result
    })
  }
  const crowd = async (posts: readonly Some[], node: Context) => {
    for (const result of await post(posts, node))
      if (typeof result === 'string' && result !== 'unavailable')
        throw new Error(`posting: ${result}`)
  }
  return { service, site, invalidations, post, publish, crowd }
}

const newIdempotencyKey = (siteId: number) => ({
  siteId,
  keyHash: randomBytes(32),
  bodyHash: randomBytes(32),
})

const postOne = (service: Context, site: Site, some: Some): Promise<Result> => {
  const request: PostRequest = {
    caller: { kind: 'nobody' },
    articleId: ARTICLE,
    article: { title: null, url: null, isConfirmed: false },
    body: 'text',
    parent: undefined,
    author: { name: 'Ada', url: null, email: null },
    network: '127.0.0.0/24',
    addressHash: Buffer.alloc(16),
    writerIdentity: undefined,
    sender: UNKNOWN_SENDER,
    // Posts of the same text are different comments, unless a test says otherwise.
    idempotencyKey: newIdempotencyKey(site.id),
    ...some,
    site: { ...site, ...some.site },
  }
  return postComment(service, request, (posted) => posted).catch((error: unknown) =>
    error instanceof Refusal ? error.code : String(error),
  )
}

/** Enough nodes for a wrong lock order to cause a deadlock within a few rounds. */
const NODES = 8

/** Opens nodes that share a database. */
export const openNodes = (t: Teardown, { url, cacheTokens: tokens }: TestService): Context[] =>
  Array.from({ length: NODES }, () => {
    const { db, close } = createDb({ url, max: 16, onError: () => {} })
    t.teardown(close)
    return createTestContext(db, tokens)
  })

export const guest = (authorId: number): Caller => ({ kind: 'guest', authorId })

/** The request of a guest who flags a comment as spam. */
export const flagRequestOf = (site: Site, authorId: number, comment: CommentKey): FlagRequest => ({
  site,
  caller: guest(authorId),
  comment,
  reason: 'spam',
  note: null,
  addressHash: randomBytes(16),
  maxGuests: undefined,
  writerIdentity: undefined,
  idempotencyKey: undefined,
})

/** Runs an act while another session holds the locks of this statement. */
export const during = <T>(
  { db }: TestService,
  statement: ReturnType<typeof sql>,
  act: (session: Db) => Promise<T>,
): Promise<T> =>
  db.transaction().execute(async (tx) => {
    await statement.execute(tx)
    return act(tx)
  })

/** Longer than a shared transaction waits for a lock. */
export const PATIENCE_MS = 500

/** Returns the sessions that wait for a lock, once `count` of them have waited for so long. */
export const untilSomebodyWaits = async (
  { db }: TestService,
  count = 1,
  waitMs = 0,
): Promise<number[]> => {
  for (let questions = 0; questions < 5_000; questions++) {
    const { rows } = await sql<{ pid: number }>`select pid from pg_stat_activity
      where wait_event_type = 'Lock' and datname = current_database()
        and query_start <= clock_timestamp() - ${waitMs} * interval '1 ms'`.execute(db)
    if (rows.length >= count) return rows.map(({ pid }) => pid)
  }
  throw new Error('no session waits for a lock')
}

export const countDeadlocks = async ({ db }: TestService): Promise<number> => {
  const { rows } = await sql<{ deadlocks: number }>`
    select deadlocks from pg_stat_database where datname = current_database()`.execute(db)
  return rows[0]!.deadlocks
}

/** Counts the rows that a post can create. */
export const countRows = async ({ db }: TestService) => {
  const { rows } = await sql<{ threads: number; authors: number; comments: number }>`
    select (select count(*) from threads) as threads, (select count(*) from authors) as authors,
      (select count(*) from comments) as comments`.execute(db)
  return rows[0]!
}
