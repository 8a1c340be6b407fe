import { type CommentKey, homeThreadIdOf } from './public-id.ts'

/** The data of each kind of job, stored as JSON. A newer version must read the old form. */
type Payloads = {
  /** Gives the threads of an author a new version, because its name or picture has changed. */
  refresh_author: { readonly authorId: number }
  /** Redacts the comments, votes and appeals of an erased author. */
  erase_author: { readonly authorId: number }
  /** Gives the comments of guests to a member. */
  reassign_comments: { readonly authorId: number }
  /** Decides on the comments of a batch, or judges them again. */
  run_batch: { readonly batchId: number }
  /** Asks the external checks of a comment that have not answered. */
  ask_checks: JobComment & {
    /** The checks' answers can publish the comment. */
    readonly mayPublish: boolean
  }
  /** Reports a moderator's decision to the check that judged the comment. */
  report_decision: JobComment & { readonly check: string; readonly isSpam: boolean }
  /** Stores the comments of an uploaded file. */
  run_import: { readonly importId: number }
  /** Deletes the rows of a deleted thread. */
  delete_thread: { readonly threadId: number }
  /** Deletes the rows of a deleted site. */
  delete_site: { readonly siteId: number }
  apply_retention: Readonly<Record<string, never>>
  bump_closed_threads: Readonly<Record<string, never>>
}

/** `threadId` is the thread in the comment's public id: the comment is found after a move too. */
type JobComment = { readonly threadId: number; readonly id: number }

export type JobKind = keyof Payloads

/** The site id of jobs that belong to the whole service. */
export const NO_SITE = 0

/** The object of a job. Jobs with equal keys are one job. */
export type JobKey<K extends JobKind = JobKind> = {
  readonly siteId: number
  readonly kind: K
  readonly key: string
}

type NewJobOf<K extends JobKind> = JobKey<K> & {
  readonly payload: Payloads[K]
  /** Missing: the job is due immediately. */
  readonly dueInMs?: number
}

export type NewJob = { [K in JobKind]: NewJobOf<K> }[JobKind]

/** A job that this node has taken. */
export type Job<K extends JobKind = JobKind> = JobKey<K> & {
  readonly payload: Payloads[K]
  /** The slug of the site; null for a job of the whole service. */
  readonly slug: string | null
  /** Grows when the job is enqueued again. */
  readonly version: number
  /** How often the job was taken since it was enqueued or made progress, this time included. */
  readonly attempts: number
  /** Proves that the job is still this node's. */
  readonly lease: string
}

/** `done` deletes the job, unless it was enqueued again or another node has it by now. */
export type JobResult = 'done' | { readonly againInMs: number }

export const authorJob = <K extends 'refresh_author' | 'erase_author' | 'reassign_comments'>(
  kind: K,
  { siteId, authorId }: { siteId: number; authorId: number },
) => ({ siteId, kind, key: String(authorId), payload: { authorId } })

export const batchJob = ({ siteId, id }: { siteId: number; id: number }) => ({
  siteId,
  kind: 'run_batch' as const,
  key: String(id),
  payload: { batchId: id },
})

export const importJob = ({ siteId, id }: { siteId: number; id: number }) => ({
  siteId,
  kind: 'run_import' as const,
  key: String(id),
  payload: { importId: id },
})

export const checksJobKey = ({ siteId, id }: { siteId: number; id: number }) => ({
  siteId,
  kind: 'ask_checks' as const,
  key: String(id),
})

/** How long the node that stores a comment has to ask the checks itself. */
export const ASK_MS = 30_000

export const checksJob = (
  siteId: number,
  comment: CommentKey,
  mayPublish: boolean,
): NewJobOf<'ask_checks'> => ({
  ...checksJobKey({ siteId, id: comment.id }),
  payload: { threadId: homeThreadIdOf(comment), id: comment.id, mayPublish },
  dueInMs: ASK_MS,
})

/** A job of the service: the jobs of a deleted site are deleted too. */
export const siteDeletionJob = (siteId: number): NewJobOf<'delete_site'> => ({
  siteId: NO_SITE,
  kind: 'delete_site',
  key: String(siteId),
  payload: { siteId },
})

export const threadDeletionJob = ({
  siteId,
  threadId,
}: {
  siteId: number
  threadId: number
}): NewJobOf<'delete_thread'> => ({
  siteId,
  kind: 'delete_thread',
  key: String(threadId),
  payload: { threadId },
})
