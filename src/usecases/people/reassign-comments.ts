import { authorJob, type Job, type JobResult } from '../../domain/job.ts'
import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import {
  acquireThreadLock,
  inTransaction,
  runQuery,
} from '../../postgres/connection/transaction.ts'
import { deleteJob, enqueueJob, reportProgress } from '../../postgres/jobs/jobs.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import * as reassignments from '../../postgres/people/reassignments.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import { touchThreads } from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'

/** How long the response waits; a job continues a longer reassignment. */
const PATIENCE_MS = 1_000
/** One transaction holds the lock of a thread while it changes this many rows of each kind. */
const BATCH = 500
/** Guests of one request. A second request takes the next ones. */
export const MAX_GUESTS = 1_000
const MAX_LISTED = 20

export type ReassignRequest = {
  readonly site: Site
  readonly administrator: StaffCaller
  /** The member who gets the comments. */
  readonly authorId: number
  /** A guest; or all guests that imports made with the verified e-mail address of the member. */
  readonly from: 'email' | number
}

export type Reassignment = reassignments.Belongings & {
  readonly guests: number
  /** The first of the comments. */
  readonly first: readonly CommentKey[]
  /** Whether nothing is left to do. */
  readonly isDone: boolean
}

/** The effect that a reassignment would have now. */
export const dryRunReassignment = async (
  context: Context,
  request: ReassignRequest,
): Promise<Reassignment> => describe(context, request, await findGuests(context, request))

/**
 * Gives the comments, votes, flags and appeals of guests to a member. From the response on the guests act no more, and
 * later imports of their comments go to the member.
 */
export const reassignComments = async (
  context: Context,
  request: ReassignRequest,
): Promise<Reassignment> => {
  const { site, administrator, authorId, from } = request
  const found = await findGuests(context, request)
  const described = await describe(context, request, found)
  const at = { siteId: site.id, authorId }
  const job = authorJob('reassign_comments', at)
  await inTransaction(context.writes, async (tx) => {
    const locked = await lockWriterRows(tx, site.id, [authorId, ...found])
    if (!locked.has(authorId)) throw new Refusal('not_found')
    const guestIds = await reassignments.markReassigned(tx, { ...at, guestIds: found })
    if (guestIds.length === 0) return
    await enqueueJob(tx, { ...job, dueInMs: PATIENCE_MS })
    const source = from === 'email' ? { from } : { author_id: storedId('author', from) }
    await insertAuditEntry(tx, {
      siteId: site.id,
      action: 'comments_reassigned',
      subject: storedId('author', authorId),
      by: callerIdOf(administrator),
      after: { ...source, guests: guestIds.length },
    })
  })
  const deadline = performance.now() + PATIENCE_MS
  const isDone = await moveBelongings(context, at, async () => performance.now() <= deadline)
  if (isDone) await runQuery(deleteJob(context.writes, job))
  else context.kick('reassign_comments')
  return { ...described, isDone }
}

const findGuests = async (
  { db }: Context,
  { site, authorId, from }: ReassignRequest,
): Promise<number[]> => {
  const siteId = site.id
  const member = await runQuery(reassignments.findReceiver(db, { siteId, authorId }))
  if (!member) throw new Refusal('not_found')
  if (from === 'email') {
    const { email, emailVerified } = member
    if (!emailVerified || email === null) throw new Refusal('email_not_verified')
    return runQuery(reassignments.listImportedGuests(db, { siteId, email, limit: MAX_GUESTS }))
  }
  const isGuest = await runQuery(reassignments.isReassignable(db, { siteId, authorId: from }))
  if (!isGuest)
    throw new Refusal('invalid_request', {
      '/from': 'must be the id of a guest who is not erased, or `email`',
    })
  return [from]
}

const describe = async (
  { db }: Context,
  { site }: ReassignRequest,
  guestIds: readonly number[],
): Promise<Reassignment> => {
  const siteId = site.id
  const counts = await runQuery(reassignments.countBelongings(db, siteId, guestIds))
  const page = { siteId, guestIds, limit: MAX_LISTED }
  const first = await runQuery(reassignments.listFirstComments(db, page))
  return { ...counts, guests: guestIds.length, first, isDone: false }
}

type OfMember = { readonly siteId: number; readonly authorId: number }

/**
 * Moves what the reassigned guests of a member still have, some rows of one thread per transaction. Running it again
 * continues it.
 * @param mayContinue is asked before each transaction, with the number of comments in the one before
 */
const moveBelongings = async (
  context: Context,
  { siteId, authorId: memberId }: OfMember,
  mayContinue: (moved: number) => Promise<boolean>,
): Promise<boolean> => {
  for (let moved = 0; ; ) {
    if (!(await mayContinue(moved))) return false
    const of = { siteId, authorId: memberId }
    const guestId = await runQuery(reassignments.findUnfinishedGuest(context.db, of))
    if (guestId === undefined) {
      await eraseAgain(context, of)
      return true
    }
    const guest = { siteId, authorId: guestId }
    const threadId = await runQuery(reassignments.findThreadOfGuest(context.db, guest))
    if (threadId === undefined) {
      await inTransaction(context.writes, (tx) =>
        reassignments.eraseEmptiedGuest(tx, { siteId, guestId }),
      )
      moved = 0
    } else
      moved = await moveInThread(context, { siteId, threadId, guestId, memberId, limit: BATCH })
  }
}

/** A member who was erased meanwhile got comments after the erasure: a job redacts them too. */
const eraseAgain = async (context: Context, member: OfMember): Promise<void> => {
  if (await runQuery(reassignments.findReceiver(context.db, member))) return
  await inTransaction(context.writes, (tx) => enqueueJob(tx, authorJob('erase_author', member)))
  context.kick('erase_author')
}

const moveInThread = (context: Context, step: reassignments.Step): Promise<number> => {
  const { siteId, threadId, guestId, memberId } = step
  const doers = { guest: storedId('author', guestId), member: storedId('author', memberId) }
  return withInvalidation(context, { siteId, threadIds: [threadId], isHide: true }, () =>
    inTransaction(context.writes, async (tx) => {
      await acquireThreadLock(tx, { siteId, threadId }, 'exclusive')
      const ids = await reassignments.moveComments(tx, step, doers)
      await reassignments.moveVotes(tx, step, ids)
      await reassignments.moveFlags(tx, step, ids)
      await reassignments.moveAppeals(tx, step)
      await touchThreads(tx, siteId, [threadId])
      return ids.length
    }),
  )
}

/** Finishes a reassignment that took longer than its request waits, or whose node was killed. */
export const finishReassignment = async (
  context: Context,
  job: Job<'reassign_comments'>,
  signal: AbortSignal,
): Promise<JobResult> => {
  const of = { siteId: job.siteId, authorId: job.payload.authorId }
  const isDone = await moveBelongings(context, of, async (moved) => {
    if (signal.aborted) return false
    return moved === 0 || runQuery(reportProgress(context.writes, job, moved))
  })
  return isDone ? 'done' : { againInMs: 0 }
}
