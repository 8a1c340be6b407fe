import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import type { FlagReason } from '../../domain/moderation/flag.ts'
import { type AuthorCaller, BY_FLAGS, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import {
  countFlag,
  findFlagAndNetworkCount,
  type NewFlag,
  writeFlag,
} from '../../postgres/comments/flags.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { insertDecision } from '../../postgres/moderation/decisions.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { findThreadForWrite } from '../../postgres/threads/threads.ts'
import { findBanEffects } from '../bans/ban-effects.ts'
import type { Context } from '../context.ts'
import { changeStatus } from '../decisions/change-status.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { assertMayTakePart } from './vote-comment.ts'

export type FlagRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  readonly reason: FlagReason
  readonly note: string | null
  readonly addressHash: Buffer
  /** How many guests of one network may flag one comment; undefined: no limit. */
  readonly maxGuests: number | undefined
  readonly writerIdentity: WriterIdentity | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

export type Flagged = {
  readonly reason: FlagReason
  readonly flaggedAt: Instant
  /** False if the flag replaces an earlier flag of the same person. */
  readonly isNew: boolean
}

/**
 * Reports a comment to the moderators, once for each person. The flag that reaches the site's threshold
 * sends the comment back to the queue.
 */
export const flagComment = async <Response>(
  context: Context,
  request: FlagRequest,
  present: (flagged: Flagged) => Response,
): Promise<Response> => {
  const { site, caller, comment, idempotencyKey } = request
  assertMayTakePart(site, caller)
  const write = () =>
    runOnce(context, idempotencyKey, async (tx) => present(await flag(tx, { ...request, caller })))
  // Readers see no flags, only the hold that a threshold brings about.
  if (site.flagThreshold === 0) return write()
  const changes = { siteId: site.id, threadIds: [comment.threadId], isHide: true }
  return withInvalidation(context, changes, write)
}

const flag = async (tx: Tx, request: FlagRequest & { caller: AuthorCaller }): Promise<Flagged> => {
  const { site, comment, maxGuests, writerIdentity } = request
  await findBanEffects(tx, site.id, writerIdentity)
  const found = await lockFlaggableRow(tx, request)
  const row = toRow(request)
  const { hasFlagged, ofNetwork } = await findFlagAndNetworkCount(tx, row)
  if (!hasFlagged && row.addressHash && ofNetwork >= maxGuests!) {
    throw new Refusal('forbidden', {
      authorization: 'enough guests of this network have flagged it',
    })
  }
  const flaggedAt = await writeFlag(tx, row)
  if (!hasFlagged) {
    const count = await countFlag(tx, site.id, comment)
    if (site.flagThreshold > 0 && count >= site.flagThreshold)
      await hold(tx, site, { comment: found, count })
  }
  return { reason: request.reason, flaggedAt, isNew: !hasFlagged }
}

/** A flag that may hide the comment takes the exclusive lock first: upgrading a shared one deadlocks. */
const lockFlaggableRow = async (
  tx: Tx,
  { site, caller, comment: key }: FlagRequest & { caller: AuthorCaller },
): Promise<CommentForWrite> => {
  const at = { siteId: site.id, threadId: key.threadId }
  await acquireThreadLock(tx, at, site.flagThreshold > 0 ? 'exclusive' : 'shared')
  const thread = await findThreadForWrite(tx, at.siteId, at.threadId)
  const comment = await findCommentForWrite(tx, { siteId: site.id, ...key })
  const writers = await lockWriterRows(tx, site.id, [caller.authorId])
  if (!writers.has(caller.authorId)) throw new Refusal('invalid_token')
  if (!comment || !thread || thread.state === 'hidden') throw new Refusal('not_found')
  const isOwn = comment.author.id === caller.authorId
  const isReadable = isVisible(comment.status) || (isOwn && comment.shadows.length > 0)
  if (!isReadable) throw new Refusal('not_found')
  if (isOwn) throw new Refusal('forbidden')
  return comment
}

const toRow = ({
  site,
  caller,
  comment,
  ...flag
}: FlagRequest & { caller: AuthorCaller }): NewFlag => ({
  siteId: site.id,
  comment,
  authorId: caller.authorId,
  reason: flag.reason,
  note: flag.note,
  addressHash: caller.kind === 'guest' && flag.maxGuests !== undefined ? flag.addressHash : null,
})

const hold = async (
  tx: Tx,
  site: Site,
  { comment, count }: { comment: CommentForWrite; count: number },
): Promise<void> => {
  const { threadId, id: commentId, status: from } = comment
  await changeStatus(tx, comment, { siteId: site.id, to: 'pending' })
  const why = { reason: null, note: `${count} flags`, by: BY_FLAGS }
  await insertDecision(tx, { siteId: site.id, threadId, commentId, from, to: 'pending', ...why })
}
