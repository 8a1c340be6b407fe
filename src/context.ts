import { createListCache } from './cache/lists.ts'
import { createMemoryPages, createTieredPages } from './cache/pages.ts'
import { createPolicyCache } from './cache/policies.ts'
import { createSiteCache } from './cache/sites.ts'
import { createThreadCache } from './cache/threads.ts'
import type { CacheTokens } from './domain/cache-tokens.ts'
import type { BanHashes } from './domain/moderation/ban.ts'
import type { PageStore } from './domain/page-store.ts'
import type { ReadMemberToken } from './domain/people/sign-on.ts'
import type { PublicIdsOf } from './domain/public-id.ts'
import type { Checks } from './domain/site/check.ts'
import type { Db } from './postgres/connection/db.ts'
import { runQuery } from './postgres/connection/transaction.ts'
import { findPolicyJson } from './postgres/screening/policies.ts'
import { findSite } from './postgres/service/sites.ts'
import { findThreads } from './postgres/threads/threads.ts'
import type { Context } from './usecases/context.ts'
import { createDeferredTasks } from './usecases/deferred-tasks.ts'
import { createLookUps } from './usecases/look-ups.ts'
import { createWriteQueues } from './usecases/write-queue.ts'
import { createPolicyTasks } from './workers/policy-tasks.ts'

/** The share of the page cache for lists of whole sites, which are cached for a second. */
const LISTS_SHARE = 1 / 8

/** Votes change the version of a thread, and so its pages, at most twenty times a second. */
const VOTES_REST_MS = 50

type Parts = {
  readonly db: Db
  readonly writes: Db
  readonly exports: Db
  readonly cacheTokens: CacheTokens
  readonly idsOf: PublicIdsOf
  readonly readMemberToken: ReadMemberToken
  readonly banHashes: BanHashes
  readonly checks: Checks
  /** The page store that all nodes share; undefined without Redis. */
  readonly store: PageStore | undefined
  readonly maxBytes: number
  /** How many threads this node caches; missing: 50,000. */
  readonly maxThreads?: number
  readonly hideWaitMs: number
  readonly kick: Context['kick']
  readonly warn: Context['warn']
}

/** Builds the dependencies of the use cases of one node. Opens no connection and starts no thread. */
export const createContext = ({ store, maxBytes, maxThreads, ...parts }: Parts): Context => {
  const { db, cacheTokens } = parts
  const listBytes = Math.floor(maxBytes * LISTS_SHARE)
  const policyTasks = createPolicyTasks()
  const memory = { maxBytes: maxBytes - listBytes }
  return {
    ...parts,
    deferredTasks: createDeferredTasks(parts.warn),
    policyTasks,
    posts: createWriteQueues(),
    edits: createWriteQueues(),
    votes: createWriteQueues({ restMs: VOTES_REST_MS }),
    decisions: createWriteQueues(),
    lookUps: createLookUps(db),
    threads: createThreadCache({
      cacheTokens,
      load: (questions) => runQuery(findThreads(db, questions)),
      ...(maxThreads && { maxThreads }),
    }),
    pages: store ? createTieredPages({ ...memory, store }) : createMemoryPages(memory),
    lists: createListCache({ cacheTokens, maxBytes: listBytes }),
    sites: createSiteCache((slug) => findSite(db, slug)),
    policies: createPolicyCache({
      ...policyTasks,
      load: async (at) => (await runQuery(findPolicyJson(db, at)))!,
    }),
  }
}
