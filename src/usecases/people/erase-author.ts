import { authorJob } from '../../domain/job.ts'
import {
  type AuthorCaller,
  type Caller,
  callerIdOf,
  isAuthor,
  mayAdminister,
  type StaffCaller,
} from '../../domain/people/caller.ts'
import { authorId as publicId } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { deleteJob, enqueueJob, findJob } from '../../postgres/jobs/jobs.ts'
import { type Erasable, eraseAuthorRow, findErasable } from '../../postgres/people/erasure.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { redactErasedComments } from './redact-erased-comments.ts'

/** How long the request waits for the erasure before a job continues it. */
const PATIENCE_MS = 1_000

export type OwnDataRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly authorId: number
}

/**
 * Erases a person: everything that says who it was, and all that it wrote. Its comments are deleted,
 * so that the tree is kept, and its votes stay as nobody's.
 * @param hashSubject makes of what the site called it what tokens from before are known by
 * @returns false when it goes on after this
 */
export const eraseAuthor = async (
  context: Context,
  request: OwnDataRequest,
  hashSubject: (subject: string) => Buffer,
): Promise<boolean> => {
  const { site, authorId } = request
  const at = { siteId: site.id, authorId }
  const job = authorJob('erase_author', at)
  const { erasable, by } = await assertMayHandle(context.db, request)
  if (erasable.erasedAt === null) {
    const { subject } = erasable
    await withInvalidation(context, { siteId: site.id, threadIds: [], isHide: true }, () =>
      inTransaction(context.writes, async (tx) => {
        await eraseAuthorRow(tx, at, subject === null ? null : hashSubject(subject))
        await enqueueJob(tx, { ...job, dueInMs: PATIENCE_MS })
        const entry = {
          siteId: site.id,
          action: 'author_erased',
          subject: publicId(authorId),
        } as const
        await insertAuditEntry(tx, { ...entry, by: callerIdOf(by) })
      }),
    )
  }
  if (!(await runQuery(findJob(context.db, job)))) return true
  const enoughAt = performance.now() + PATIENCE_MS
  const isDone = await redactErasedComments(context, at, async () => performance.now() <= enoughAt)
  if (isDone) await runQuery(deleteJob(context.writes, job))
  else context.kick('erase_author')
  return isDone
}

/**
 * Who may have what is held on somebody: the person itself and administrators. Whom readers cannot see
 * is for all others as good as absent.
 */
export const assertMayHandle = async (
  db: Db,
  { site, caller, authorId }: OwnDataRequest,
): Promise<{ erasable: Erasable; by: AuthorCaller | StaffCaller }> => {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  const erasable = await runQuery(findErasable(db, { siteId: site.id, authorId }))
  if (!erasable) throw new Refusal('not_found')
  if (!isAuthor(caller, { id: authorId }) && !mayAdminister(caller))
    throw new Refusal(erasable.isPublic ? 'forbidden' : 'not_found')
  return { erasable, by: caller }
}
