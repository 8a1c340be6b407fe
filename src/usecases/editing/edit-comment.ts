import type { PolicyInForce } from '../../cache/policies.ts'
import type { Comment } from '../../domain/comment/comment.ts'
import { RENDERER_VERSION, renderMarkdown } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { checksJob, checksJobKey } from '../../domain/job.ts'
import type { BanMatch, WriterIdentity } from '../../domain/moderation/ban.ts'
import {
  assertMayWrite,
  type Caller,
  callerIdOf,
  isAuthor,
  mayModerate,
} from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  type CheckTiming,
  checkTimingOf,
  initialCheckFacts,
} from '../../domain/screening/check-facts.ts'
import type { Verdict } from '../../domain/screening/finding.ts'
import { readRendering } from '../../domain/screening/rendering.ts'
import type { Sender } from '../../domain/site/check.ts'
import { assertIsOpen, isEditWindowOver, type Site } from '../../domain/site/site.ts'
import { storedId } from '../../domain/stored-id.ts'
import {
  type CommentForWrite,
  FIND_COMMENT_FOR_WRITE,
  reviseComment,
  type StoredJudgement,
  toCommentForWrite,
} from '../../postgres/comments/comments.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { type Send, sendTogether } from '../../postgres/connection/pipeline.ts'
import type { Query } from '../../postgres/connection/prepared.ts'
import { LOCK_THREAD } from '../../postgres/connection/transaction.ts'
import { enqueueJob, findJob } from '../../postgres/jobs/jobs.ts'
import { askBansOn } from '../../postgres/moderation/bans.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { LOCK_WRITER_ROWS, lockWriterRows } from '../../postgres/people/authors.ts'
import { INSERT_ARRIVAL } from '../../postgres/screening/recent-posts.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  FIND_THREAD_FOR_WRITE,
  type ThreadForWrite,
  TOUCH_THREAD,
  touchThread,
} from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import { checkAfterWrite } from '../checks/check-after-write.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { countFor, factsOf, hashRendering } from '../policies/count-facts.ts'
import { judgeByPolicy } from '../policies/judge-by-policy.ts'
import { assertLength } from '../posting/site-rules.ts'
import { writeOnce } from '../run-once.ts'
import { editShadowed } from './edit-shadowed.ts'

export type EditRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly body: string
  /** The revision that the caller has seen; undefined: the caller does not say. */
  readonly ifRevision: number | undefined
  readonly writerIdentity: WriterIdentity | undefined
  readonly sender: Sender
  readonly idempotencyKey: IdempotencyKey | undefined
}

export type Edited = {
  readonly comment: Comment
  readonly version: number | undefined
  readonly checking: CheckTiming
}

/**
 * Replaces the text of a comment. The policy judges an author's edit as it judges a new comment, and
 * may hide the comment; it does not judge a moderator's edit.
 */
export const editComment = async <Response>(
  context: Context,
  request: EditRequest,
  present: (edited: Edited) => Response,
): Promise<Response> => {
  assertMayWrite(request.caller)
  if (request.caller.kind === 'nobody') throw new Refusal('login_required')
  const { site, caller, comment, sender, idempotencyKey } = request
  if (!mayModerate(caller)) assertIsOpen(site)
  assertLength(site, caller, request.body)
  const bodyHtml = renderMarkdown(request.body)
  const policy = await context.policies.find(site)
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide: true }
  const { response, effect: edited } = await withInvalidation(context, changes, () =>
    writeOnce(context, idempotencyKey, async (tx, send) => {
      const target = await lockForEdit(tx, request, { bodyHtml, policy })
      const edited = await edit(tx, request, target, send)
      return { response: present(edited), effect: edited }
    }),
  )
  if (!edited) return response as Response
  return checkAfterWrite(context, {
    checking: edited.checking,
    request: { site, comment, sender },
    idempotencyKey,
    answer: response as Response,
    present: (results) => present({ ...edited, ...results }),
  })
}

/** A comment that may be edited, read under the thread's lock, and its new text. */
type Edit = {
  readonly comment: CommentForWrite
  readonly thread: ThreadForWrite
  readonly bodyHtml: string
  readonly policy: PolicyInForce
  /** The bans that match the author. */
  readonly bans: readonly BanMatch[]
}

const lockForEdit = async (
  tx: Tx,
  request: EditRequest,
  prepared: Pick<Edit, 'bodyHtml' | 'policy'>,
): Promise<Edit> => {
  const { site, caller, comment: key, writerIdentity } = request
  const siteId = site.id
  const { threadId } = key
  const writerId = 'authorId' in caller ? caller.authorId : undefined
  const isJudged = writerIdentity && !mayModerate(caller)
  const [, [thread], rows, writers, bans] = await sendTogether(tx, [
    LOCK_THREAD.exclusive({ siteId, threadId }),
    FIND_THREAD_FOR_WRITE({ siteId, id: threadId }),
    FIND_COMMENT_FOR_WRITE({ siteId, ...key }),
    writerId === undefined ? undefined : LOCK_WRITER_ROWS.wait({ siteId, ids: [writerId] }),
    isJudged ? askBansOn(siteId, [writerIdentity]) : undefined,
  ])
  const comment = toCommentForWrite(rows)
  if (!thread || !comment) throw new Refusal('not_found')
  // The row lock makes an erasure wait, and then find the remembered response with the text.
  const isLocked = isAuthor(caller, comment.author)
    ? writers.length > 0
    : (await lockWriterRows(tx, siteId, [comment.author.id])).has(comment.author.id)
  if (!isLocked) throw new Refusal('not_found')
  assertMayEdit(request, comment, thread)
  return { comment, thread, bans, ...prepared }
}

/** Refuses authors of locked comments, in locked threads, and after the edit window. */
export const assertMayChangeText = (
  site: Site,
  comment: CommentForWrite,
  { state }: ThreadForWrite,
): void => {
  if (state === 'locked' || comment.locked) throw new Refusal('thread_locked')
  if (isEditWindowOver(site, comment)) throw new Refusal('edit_window_over')
}

const assertMayEdit = (
  { site, caller, ifRevision }: EditRequest,
  comment: CommentForWrite,
  thread: ThreadForWrite,
): void => {
  if (!mayModerate(caller)) {
    const isOwn = isAuthor(caller, comment.author)
    const isTurnedDown = comment.status === 'rejected' && comment.shadows.length === 0
    const isAlive = comment.status !== 'deleted' && !isTurnedDown
    if (!isOwn && isVisible(comment.status) && thread.state !== 'hidden')
      throw new Refusal('forbidden')
    if (!isOwn || !isAlive) throw new Refusal('not_found')
    assertMayChangeText(site, comment, thread)
    if (isEditedByModerator(comment)) throw new Refusal('edit_window_over')
  }
  if (comment.isRedacted) throw new Refusal('comment_redacted')
  if (ifRevision !== undefined && ifRevision !== comment.revision)
    throw new Refusal('edit_conflict')
}

/** The edit of a moderator ends the edit window: an author cannot revert it. */
const isEditedByModerator = ({ editedBy, author }: CommentForWrite): boolean =>
  editedBy !== null && editedBy !== storedId('author', author.id)

const edit = async (tx: Tx, request: EditRequest, target: Edit, send: Send): Promise<Edited> => {
  const { site, caller, body } = request
  const { comment, thread, bodyHtml } = target
  const byModerator = mayModerate(caller)
  const judged = byModerator ? undefined : await judgeText(tx, request, target)
  const wasVisible = isVisible(comment.status)
  const revision = reviseComment(site.id, comment, {
    body,
    bodyHtml,
    renderer: RENDERER_VERSION,
    judged,
    by: byModerator ? callerIdOf(caller) : storedId('author', comment.author.id),
  })
  const toEdited = (revised: { revision: number; editedAt: Instant }) => ({
    ...comment,
    ...revised,
    body,
    bodyHtml,
  })
  if (judged && changesTextOnly(comment, judged)) {
    const touch = wasVisible ? TOUCH_THREAD({ siteId: site.id, id: thread.id }) : undefined
    const [[revised], , [touched]] = await send([revision, judged.arrival, touch])
    const edited = toEdited(revised!)
    return {
      checking: 'never',
      comment: wasVisible ? edited : { ...edited, status: 'pending' },
      version: touched?.version,
    }
  }
  const [[revised]] = await sendTogether(tx, [revision, judged?.arrival])
  const edited = toEdited(revised!)
  if (mayModerate(caller)) await recordEdit(tx, request, comment, callerIdOf(caller))
  if (judged && (judged.isShadowed || comment.shadows.length > 0)) {
    const shadow = await editShadowed(tx, { siteId: site.id, before: comment, edited, judged })
    return { ...shadow, checking: 'never' }
  }
  const checking = judged ? checkTimingOf(judged.trace, judged.facts) : 'never'
  if (checking !== 'never') {
    const waiting = await findJob(tx, checksJobKey({ siteId: site.id, id: comment.id }))
    const mayPublish = wasVisible || waiting?.payload.mayPublish === true
    await enqueueJob(tx, checksJob(site.id, comment, mayPublish))
  }
  if (judged && mustHide(comment, judged.verdict)) {
    const change = { siteId: site.id, to: judged.verdict } as const
    const { version } = await changeStatus(tx, comment, change)
    return { comment: { ...edited, status: 'pending' }, version, checking }
  }
  return {
    checking,
    // Authors are not told whether their comment is pending or spam.
    comment: byModerator || wasVisible ? edited : { ...edited, status: 'pending' },
    version: wasVisible ? await touchThread(tx, site.id, thread.id) : undefined,
  }
}

/** Whether the comment keeps its status, has no shadow before or after the edit, and needs no check. */
const changesTextOnly = (comment: CommentForWrite, judged: JudgedText): boolean =>
  !judged.isShadowed &&
  comment.shadows.length === 0 &&
  checkTimingOf(judged.trace, judged.facts) === 'never' &&
  !mustHide(comment, judged.verdict)

/** Records a moderator's edit without the texts: only the revisions have them, and can be erased. */
const recordEdit = async (
  tx: Tx,
  { site }: EditRequest,
  { threadId, id: commentId, revision }: CommentForWrite,
  by: string,
): Promise<void> => {
  const decision = { siteId: site.id, by, action: 'edit', threadId, commentId } as const
  await insertDecision(tx, { ...decision, before: { revision }, after: { revision: revision + 1 } })
}

type JudgedText = StoredJudgement & {
  readonly verdict: Verdict
  readonly isShadowed: boolean
  /** The statement that records the text as a recent post. */
  readonly arrival: Query
}

/** Judges the new text as a comment that is posted now; the facts do not count the old text. */
export const judgeText = async (
  tx: Tx,
  { site, body }: Pick<EditRequest, 'site' | 'body'>,
  { comment, thread, policy, bodyHtml, bans }: Edit,
): Promise<JudgedText> => {
  const { author, id, suggestedTitle } = comment
  const at = { siteId: site.id, threadId: thread.id }
  const rendering = readRendering(body, bodyHtml)
  const origin = {
    ...hashRendering(rendering),
    authorId: author.id,
    addressHash: comment.addressHash,
  }
  const scope = { siteId: site.id, threadIds: [thread.id], exceptId: id }
  const allowed = assertNotBlocked(bans)
  const counted = await countFor(tx, scope, [origin])
  const subject = {
    ...origin,
    threadId: thread.id,
    kind: author.kind,
    role: author.role,
    email: undefined,
    siteModeration: site.moderation,
    threadModeration: thread.moderation,
    attackedUntil: counted.attackedUntil,
    bans: [...allowed, ...comment.shadows],
  }
  const checks = initialCheckFacts(site.checks, policy.policy)
  const gathered = { ...factsOf(counted, subject, []), checks }
  const draft = { rendering, authorName: author.name, authorUrl: author.url, suggestedTitle }
  const mayBeSeen = isVisible(comment.status) || comment.shadows.length > 0
  const { judgement, facts, isShadowed } = judgeByPolicy(policy, {
    draft,
    facts: gathered,
    mayBeSeen,
  })
  const { verdict, risk, trace } = judgement
  const arrival = INSERT_ARRIVAL({ ...at, ...origin, id })
  return { policyVersion: policy.version, facts, risk, trace, verdict, isShadowed, arrival }
}

/** Whether the edit sends the comment to another status. A comment that moderators turned down keeps its own. */
const mustHide = ({ status }: CommentForWrite, verdict: Verdict): boolean =>
  isVisible(status) ? verdict !== 'approved' : status === 'pending' && !isMild(verdict)

const isMild = (verdict: Verdict): boolean => verdict === 'approved' || verdict === 'pending'
