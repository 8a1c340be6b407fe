import { asPublished } from '../../domain/comment/shadow-view.ts'
import { callerIdOf, mayAdminister } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { storedId } from '../../domain/stored-id.ts'
import { inTransaction, runQuery } from '../../postgres/connection/transaction.ts'
import {
  findHeldAuthor,
  type HeldAppeal,
  type HeldAuthor,
  type HeldComment,
  type HeldFlag,
  type HeldNote,
  type HeldRevision,
  type HeldVote,
  listHeldAppeals,
  listHeldComments,
  listHeldFlags,
  listHeldNotes,
  listHeldRevisions,
  listHeldVotes,
} from '../../postgres/people/export.ts'
import { insertAuditEntry } from '../../postgres/service/audit.ts'
import type { Context } from '../context.ts'
import { assertMayHandle, type OwnDataRequest } from './erase-author.ts'

export type {
  HeldAppeal,
  HeldAuthor,
  HeldFlag,
  HeldNote,
  HeldVote,
} from '../../postgres/people/export.ts'

const BATCH = 500
const START: CommentKey = { threadId: 0, id: 0 }

export type ExportedComment = HeldComment & { readonly revisions: readonly HeldRevision[] }

/** All data kept about one author; each list is read while it is consumed. */
export type Export = {
  readonly author: HeldAuthor
  readonly comments: AsyncIterable<ExportedComment>
  readonly votes: AsyncIterable<HeldVote>
  readonly flags: AsyncIterable<HeldFlag>
  readonly appeals: AsyncIterable<HeldAppeal>
  readonly notes: AsyncIterable<HeldNote>
}

/** Exports all data kept about an author, for the author or an administrator. */
export const exportAuthor = async (context: Context, request: OwnDataRequest): Promise<Export> => {
  const { site, caller, authorId } = request
  const { by } = await assertMayHandle(context.db, request)
  const at = { siteId: site.id, authorId }
  const author = await runQuery(findHeldAuthor(context.db, at))
  if (!author) throw new Refusal('not_found')
  await inTransaction(context.writes, (tx) =>
    insertAuditEntry(tx, {
      siteId: site.id,
      action: 'author_exported',
      subject: storedId('author', authorId),
      by: callerIdOf(by),
    }),
  )
  const pageOf = (after: CommentKey) => ({ ...at, after, limit: BATCH })
  return {
    author,
    comments: walkComments(context, { pageOf, siteId: site.id, isOwn: !mayAdminister(caller) }),
    votes: walk(START, (after) => listHeldVotes(context.db, pageOf(after))),
    flags: walk(START, (after) => listHeldFlags(context.db, pageOf(after))),
    appeals: walk(START, (after) => listHeldAppeals(context.db, pageOf(after))),
    notes: walk({ id: 0 }, (after) => listHeldNotes(context.db, { ...at, after, limit: BATCH })),
  }
}

async function* walk<At, T extends At>(
  start: At,
  read: (after: At) => Promise<T[]>,
): AsyncGenerator<T> {
  for (let after = start, isOver = false; !isOver; ) {
    const batch = await runQuery(read(after))
    yield* batch
    isOver = batch.length < BATCH
    after = batch.at(-1) ?? after
  }
}

type PageOf = (after: CommentKey) => Parameters<typeof listHeldComments>[1]

const walkComments = (
  { db }: Context,
  { pageOf, siteId, isOwn }: { pageOf: PageOf; siteId: number; isOwn: boolean },
): AsyncGenerator<ExportedComment> =>
  walk(START, async (after) => {
    const comments = await listHeldComments(db, pageOf(after))
    const ids = comments.map(({ id }) => id)
    const revisions = Map.groupBy(
      await listHeldRevisions(db, siteId, ids),
      ({ commentId }) => commentId,
    )
    return comments.map((comment) => ({
      ...(isOwn ? asAuthorSees(comment) : comment),
      revisions: revisions.get(comment.id) ?? [],
    }))
  })

/** Authors are not told that their comment is spam, or shadowed. */
const asAuthorSees = (comment: HeldComment): HeldComment => {
  if (comment.isShadowed) return { ...asPublished(comment), isShadowed: false }
  return comment.status === 'spam' ? { ...comment, status: 'pending' } : comment
}
