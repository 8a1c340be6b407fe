import type { ListCache } from '../cache/lists.ts'
import type { PageCache } from '../cache/pages.ts'
import type { PolicyCache } from '../cache/policies.ts'
import type { SiteCache } from '../cache/sites.ts'
import type { ThreadCache } from '../cache/threads.ts'
import type { CacheTokens } from '../domain/cache-tokens.ts'
import type { JobKind } from '../domain/job.ts'
import type { BanHashes } from '../domain/moderation/ban.ts'
import type { ReadMemberToken } from '../domain/people/sign-on.ts'
import type { PublicIdsOf } from '../domain/public-id.ts'
import type { Checks } from '../domain/site/check.ts'
import type { Db } from '../postgres/connection/db.ts'
import type { PolicyTasks } from '../workers/policy-tasks.ts'
import type { QueuedDecision } from './decisions/decision-request.ts'
import type { DeferredTasks } from './deferred-tasks.ts'
import type { Edit, Edited } from './editing/edit.ts'
import type { LookUps } from './look-ups.ts'
import type { Post, PostEffect } from './posting/post.ts'
import type { Vote } from './voting/vote.ts'
import type { WriteQueues } from './write-queue.ts'

/** Dependencies of every use case. */
export type Context = {
  /** Connections for reading. */
  readonly db: Db
  /** Connections for writing; separate, so that writers who wait for locks do not block readers. */
  readonly writes: Db
  /** Connections for exports, which keep one for as long as their client reads. */
  readonly exports: Db
  /** Posts, edits, votes and decisions that wait for a transaction of their site or thread. */
  readonly posts: WriteQueues<Post, PostEffect>
  readonly edits: WriteQueues<Edit, Edited>
  readonly votes: WriteQueues<Vote, undefined>
  readonly decisions: WriteQueues<QueuedDecision, undefined>
  readonly lookUps: LookUps
  readonly threads: ThreadCache
  readonly pages: PageCache
  readonly lists: ListCache
  readonly sites: SiteCache
  readonly policies: PolicyCache
  readonly cacheTokens: CacheTokens
  /** Refuses with `unavailable` until the database is prepared. */
  readonly idsOf: PublicIdsOf
  readonly readMemberToken: ReadMemberToken
  readonly banHashes: BanHashes
  readonly checks: Checks
  /** Work with policies in other threads. */
  readonly policyTasks: PolicyTasks
  /** Work that this node does after the response. */
  readonly deferredTasks: DeferredTasks
  /** Runs the due jobs of a kind soon, without waiting for them. */
  readonly kick: (kind: JobKind) => void
  /** Logs a problem that a person should know of, although the request succeeded. */
  readonly warn: (fields: Readonly<Record<string, unknown>>, message: string) => void
  /** How long the response to a hide waits if its invalidation failed. */
  readonly hideWaitMs: number
}
