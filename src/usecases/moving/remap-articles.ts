import { type Remap, remappedId } from '../../domain/comment/article-address.ts'
import { batchJob } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { type Batch, insertBatch } from '../../postgres/jobs/batches.ts'
import { enqueueJob } from '../../postgres/jobs/jobs.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { ArticleThread } from '../../postgres/threads/aliases.ts'
import * as rows from '../../postgres/threads/remaps.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import type { StoredRemap } from './remap-steps.ts'

export type RemapRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  readonly remap: Remap
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Starts the batch that gives the threads of a site other article ids. */
export const remapArticles = async <Answer>(
  context: Context,
  { site, administrator, remap, idempotencyKey }: RemapRequest,
  present: (batch: Batch) => Answer,
): Promise<Answer> => {
  const siteId = site.id
  const by = callerIdOf(administrator)
  const answer = await runOnce(context, idempotencyKey, async (tx) => {
    const { number: total, lastId: upToId } = await rows.countThreads(tx, siteId)
    const stored: StoredRemap = { ...remap, upToId }
    const request = { remap: stored }
    const batch = await insertBatch(tx, { siteId, kind: 'remap', request, by, total })
    await enqueueJob(tx, batchJob(batch))
    const { rules, isCanonical: canonical } = remap
    const after = {
      batch_id: storedId('batch', batch.id),
      canonical,
      rules: rules.map((rule) => ({ from_prefix: rule.fromPrefix, to_prefix: rule.toPrefix })),
    }
    const entry = { siteId, action: 'articles_remapped', subject: site.slug, by, after } as const
    await insertAuditEntry(tx, entry)
    return present(batch)
  })
  context.kick('run_batch')
  return answer
}

/** The change of one thread: it gets the id, joins the thread that has the id, or leaves its id to that one. */
export type RemappedThread = {
  readonly articleId: string
  readonly to: string
  readonly effect: 'renamed' | 'merged' | 'alias'
}

export type RemapDryRun = {
  readonly threads: number
  readonly effects: Readonly<Record<RemappedThread['effect'], number>>
  /** The first of them. */
  readonly items: readonly RemappedThread[]
  /** Whether all threads of the site were read. */
  readonly isComplete: boolean
}

const MAX_ITEMS = 500
const MAX_THREADS = 100_000
const CHUNK = 1_000

/** Finds out what a remap would do now, as far as the first 100,000 threads. Changes nothing. */
export const dryRunRemap = async (
  { db }: Context,
  { site, remap }: Pick<RemapRequest, 'site' | 'remap'>,
): Promise<RemapDryRun> => {
  const effects = { renamed: 0, merged: 0, alias: 0 }
  const items: RemappedThread[] = []
  const simulation = createSimulation()
  let threads = 0
  let isComplete = false
  for (let afterId = 0; threads < MAX_THREADS; ) {
    const part = { afterId, upToId: Number.MAX_SAFE_INTEGER, limit: CHUNK }
    const chunk = await runQuery(rows.listOwnIds(db, site.id, part))
    const moving = chunk
      .map((thread) => ({ thread, to: remappedId(remap, thread.articleId) }))
      .filter(({ thread, to }) => to !== thread.articleId)
    const names = moving.flatMap(({ thread, to }) => [thread.articleId, to])
    const named = await runQuery(rows.listNamedThreads(db, site.id, [...new Set(names)]))
    for (const item of simulation.run(moving, named)) {
      effects[item.effect] += 1
      if (items.length < MAX_ITEMS) items.push(item)
    }
    threads += chunk.length
    isComplete = chunk.length < CHUNK
    if (isComplete) break
    afterId = chunk.at(-1)!.id
  }
  return { threads, effects, items, isComplete }
}

type Moving = { readonly thread: ArticleThread; readonly to: string }

/** Follows the rules of `remapStep` without changing anything: what one thread does counts for those after it. */
const createSimulation = () => {
  const threads = new Map<string, number>()
  const ownIds = new Map<number, string>()
  const filled = new Map<number, boolean>()
  const joined = new Map<number, number>()

  const lastOf = (id: number): number => {
    let last = id
    for (let next = joined.get(last); next !== undefined; next = joined.get(last)) last = next
    return last
  }
  const read = (named: readonly rows.NamedThread[]): void => {
    for (const { name, id, articleId, isFilled } of named) {
      if (!threads.has(name)) threads.set(name, id)
      if (!ownIds.has(id)) ownIds.set(id, articleId)
      if (!filled.has(id)) filled.set(id, isFilled)
    }
  }
  const rename = (id: number, to: string) => {
    threads.set(to, id)
    ownIds.set(id, to)
    return 'renamed' as const
  }
  const effectOn = (id: number, to: string): RemappedThread['effect'] => {
    const known = threads.get(to)
    const there = known === undefined ? id : lastOf(known)
    if (there === id) return rename(id, to)
    if (filled.get(id) && !filled.get(there) && ownIds.get(there) === to) {
      joined.set(there, id)
      return rename(id, to)
    }
    joined.set(id, there)
    if (!filled.get(id)) return 'alias'
    filled.set(there, true)
    return 'merged'
  }
  return {
    run: (moving: readonly Moving[], named: readonly rows.NamedThread[]): RemappedThread[] => {
      read(named)
      return moving.flatMap(({ thread: { id, articleId }, to }) =>
        lastOf(id) === id ? [{ articleId, to, effect: effectOn(id, to) }] : [],
      )
    },
  }
}
