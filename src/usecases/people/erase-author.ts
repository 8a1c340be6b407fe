import { authorJob } from '../../domain/job.ts'
import {
  type AuthorCaller,
  type Caller,
  callerIdOf,
  isAuthor,
  mayAdminister,
  type StaffCaller,
} from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import type { Db } from '../../postgres/connection/db.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import { deleteJob, enqueueJob, findJob } from '../../postgres/jobs/jobs.ts'
import { type Erasable, eraseAuthorRow, findErasable } from '../../postgres/people/erasure.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { redactErasedComments } from './redact-erased-comments.ts'
import { touchThreadsOf } from './refresh-author.ts'

/** How long the response waits for the erasure; a longer erasure continues as a job. */
const PATIENCE_MS = 1_000

export type OwnDataRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly authorId: number
}

/**
 * Erases an author's personal data and texts. The comments are deleted, so that their replies keep
 * their places; the votes still count, without their author.
 * @param hash hashes the member's subject, so that older member tokens stay refused, and the e-mail address
 * @returns false if a job continues the erasure; readers already see none of the texts then
 */
export const eraseAuthor = async (
  context: Context,
  request: OwnDataRequest,
  hash: {
    readonly subject: (subject: string) => Buffer
    readonly emails: (email: string) => readonly Buffer[]
  },
): Promise<boolean> => {
  const { site, authorId } = request
  const at = { siteId: site.id, authorId }
  const job = authorJob('erase_author', at)
  const { erasable, by } = await assertMayHandle(context.db, request)
  if (erasable.erasedAt === null) {
    const { subject, email } = erasable
    await withInvalidation(context, { siteId: site.id, threadIds: [], isHide: true }, () =>
      inTransaction(context.writes, async (tx) => {
        await eraseAuthorRow(tx, at, {
          subjectHash: subject === null ? null : hash.subject(subject),
          emailHashes: email === null ? [] : hash.emails(email),
          publicId: context.idsOf(site.id).write('author', authorId),
        })
        await enqueueJob(tx, { ...job, dueInMs: PATIENCE_MS })
        const entry = {
          siteId: site.id,
          action: 'author_erased',
          subject: storedId('author', authorId),
        } as const
        await insertAuditEntry(tx, { ...entry, by: callerIdOf(by) })
      }),
    )
  }
  if (!(await runQuery(findJob(context.db, job)))) return true
  const deadline = performance.now() + PATIENCE_MS
  const isDone = await redactErasedComments(context, at, async () => performance.now() <= deadline)
  if (isDone) await runQuery(deleteJob(context.writes, job))
  else {
    await touchThreadsOf(context, at)
    context.kick('erase_author')
  }
  return isDone
}

/**
 * Refuses callers other than the author and administrators. An author whom readers cannot see looks
 * absent to other callers.
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
