import type { Db, Tx } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { findImportedComments, type Imported } from '../../postgres/importing/find-imported.ts'
import { lockRunningImport } from '../../postgres/importing/imports.ts'
import { acquireImportLock } from '../../postgres/importing/insert-imported.ts'
import type { PreparedBatch, PreparedComment } from '../../workers/importing/prepare-comments.ts'
import type { Counting } from './counting.ts'
import { createEffects, type Effects } from './effects.ts'
import { ensureAuthors } from './import-authors.ts'
import { type ImportContext, ImportStopped } from './import-run.ts'
import { ensureThreads } from './import-threads.ts'
import { type Fresh, insertFresh } from './insert-fresh.ts'
import type { Store } from './store.ts'
import { type Changed, updateImported } from './update-imported.ts'

type Parts = Pick<Store, 'run' | 'known'> & { readonly counting: Counting }

/**
 * Stores comments in one transaction, or in a dry run finds out what would be stored.
 * @returns the threads in which readers see a difference
 */
export const storeBatch = async (
  context: ImportContext,
  { run, counting, known }: Parts,
  batch: PreparedBatch,
): Promise<readonly number[]> => {
  const work = async (db: Db, tx: Tx | null): Promise<Effects> => {
    const effects = createEffects()
    await storeIn({ context, run, known, batch, db, tx, effects })
    return effects
  }
  const effects = run.wanted.dryRun
    ? await runQuery(work(context.db, null))
    : await inTransaction(context.writes, async (tx) => {
        await acquireImportLock(tx, run.site.id)
        const key = { siteId: run.site.id, id: run.wanted.id }
        if (!(await lockRunningImport(tx, key))) throw new ImportStopped({ isOver: true })
        return work(tx, tx)
      })
  effects.applyTo(counting, known)
  return [...effects.touchedThreads]
}

const storeIn = async (store: Store): Promise<void> => {
  const { run, known, batch, db, effects } = store
  const threads = await ensureThreads(store)
  const ids = batch.comments.flatMap(({ id, parentId }) =>
    parentId === null ? id : [id, parentId],
  )
  const at = { siteId: run.site.id, originId: known.originId }
  const imported = await findImportedComments(db, at, [...new Set(ids)])
  const fresh: Fresh[] = []
  const changed: Changed[] = []
  batch.comments.forEach((comment, place) => {
    const thread = threads[comment.thread]
    const earlier = imported.get(comment.id)
    if (!thread) effects.skip('bad_article_id')
    else if (!earlier) fresh.push({ comment, place, thread })
    else if (earlier.importId === run.wanted.id) effects.count('created')
    else if (isChanged(comment, earlier)) changed.push({ comment, place, imported: earlier })
    else effects.count('unchanged')
  })
  const placed = batch.comments.filter(({ thread }) => threads[thread] !== undefined)
  const authors = await ensureAuthors(store, placed)
  const kept = fresh.filter(({ comment }) => authors.get(comment.authorNumber) !== 'erased')
  const erased = fresh.length - kept.length
  if (erased > 0) effects.skip('author_erased', erased)
  if (kept.length > 0) await insertFresh(store, kept, { imported, authors })
  for (const change of changed) await updateImported(store, change)
}

const isChanged = (comment: PreparedComment, imported: Imported): boolean =>
  comment.textHash !== imported.textHash ||
  comment.status !== imported.status ||
  comment.upvotes !== imported.upvotes ||
  comment.downvotes !== imported.downvotes ||
  comment.isPinned !== imported.pinned
