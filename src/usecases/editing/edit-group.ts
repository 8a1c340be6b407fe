import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { BanMatch } from '../../domain/moderation/ban.ts'
import { isAuthor, mayModerate } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { storedId } from '../../domain/stored-id.ts'
import {
  type CommentForWrite,
  findCommentForWrite,
  findCommentsForWrite,
  toCommentForWrite,
} from '../../postgres/comments/comments.ts'
import { reviseJudged } from '../../postgres/comments/revisions.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { type Send, sendTogether } from '../../postgres/connection/pipeline.ts'
import { LOCK_THREAD } from '../../postgres/connection/transaction.ts'
import { askBansOn, findBansOn, toMatches } from '../../postgres/moderation/bans.ts'
import { LOCK_WRITER_ROWS, lockWriterRows } from '../../postgres/people/authors.ts'
import { insertArrivals } from '../../postgres/screening/arrivals.ts'
import {
  FIND_THREADS_FOR_WRITE,
  type ThreadForWrite,
  TRY_LOCKS_BY_ID,
  toLockedThreads,
  writeVersions,
} from '../../postgres/threads/threads.ts'
import type { DecideGroup } from '../group-commit.ts'
import type { EarlierPost } from '../policies/count-facts.ts'
import { askForResponses, recalledOutcomes, recallResponses } from '../run-once.ts'
import type { Outcome, Outcomes } from '../write-queue.ts'
import type { Edit, Edited } from './edit.ts'
import { type EditTarget, editAlone } from './edit-alone.ts'
import {
  changesTextOnly,
  countForTexts,
  type JudgedText,
  judgeByFacts,
  type TextToJudge,
  toJudge,
} from './judge-text.ts'
import { assertMayEdit } from './may-edit.ts'

const threadOf = ({ comment: { threadId } }: Edit): number => threadId

/** Makes edits of one thread, one after the other. It waits for locks. */
export const editPatiently: DecideGroup<Edit, Edited> = async (tx, all) => {
  const recalled = await recallResponses<Edit, Edited>(tx, all)
  const { fresh } = recalled
  const outcomes = new Map<Edit, Outcome<Edited>>()
  if (fresh.length > 0) {
    const situation = await lockForEdits(tx, fresh)
    for (const edit of fresh) outcomes.set(edit, await editInTurn(tx, edit, situation))
  }
  return { recalled, outcomes, threadOf, changedThreads: all.map(threadOf), mayTellOfHide: true }
}

/** Locks the thread of edits, their comments and then the authors of these: an erasure waits. */
const lockForEdits = async (tx: Tx, edits: readonly Edit[]) => {
  const siteId = edits[0]!.site.id
  const threadId = threadOf(edits[0]!)
  const keys = edits.map(({ comment }) => comment)
  const [, [thread], comments] = await sendTogether(tx, [
    LOCK_THREAD.exclusive({ siteId, threadId }),
    FIND_THREADS_FOR_WRITE({ siteId, ids: [threadId] }),
    findCommentsForWrite(siteId, keys, 'wait'),
  ])
  const authorIds = comments.map(({ authorId }) => authorId)
  return { thread, authors: await lockWriterRows(tx, siteId, authorIds) }
}

const editInTurn = async (
  tx: Tx,
  edit: Edit,
  { thread, authors }: Awaited<ReturnType<typeof lockForEdits>>,
): Promise<Outcome<Edited>> => {
  const { site, caller, comment: key, writerIdentity, present } = edit
  try {
    const comment = await findCommentForWrite(tx, { siteId: site.id, ...key })
    if (!thread || !comment || !authors.has(comment.author.id)) throw new Refusal('not_found')
    assertMayEdit(edit, comment, thread)
    const judgedFor = mayModerate(caller) ? undefined : writerIdentity
    const [bans = []] = await findBansOn(tx, site.id, [judgedFor])
    const edited = await editAlone(tx, edit, { comment, thread, bans })
    return { response: present(edited), effect: edited }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { refusal: error }
  }
}

/**
 * Makes edits of comments of one site, as if they came one after the other. An edit gets no outcome if it is a
 * moderator's or not the author's, if another transaction has locked its thread, comment or author, if it follows
 * another one on its comment, if it is like another text of the last day, or if it changes more than the text.
 */
export const editTogether: DecideGroup<Edit, Edited> = async (tx, all) => {
  const siteId = all[0]!.site.id
  const responses = askForResponses<Edit, Edited>(all)
  const threadIds = [...new Set(all.map(threadOf))]
  const keys = all.map(({ comment }) => comment)
  const writerIds = all.flatMap(({ caller }) =>
    'authorId' in caller ? (caller.authorId ?? []) : [],
  )
  const identities = all.map(({ writerIdentity }) => writerIdentity)
  const [locks, held, answers, threads, comments, writers, bans] = await sendTogether(tx, [
    TRY_LOCKS_BY_ID.exclusive({ siteId, ids: threadIds }),
    ...responses.queries,
    FIND_THREADS_FOR_WRITE({ siteId, ids: threadIds }),
    findCommentsForWrite(siteId, keys, 'skip'),
    LOCK_WRITER_ROWS.skip({ siteId, ids: writerIds }),
    identities.some(Boolean) ? askBansOn(siteId, identities) : undefined,
  ])
  const recalled = responses.toRecalled([held, answers])
  const matches = toMatches(identities, bans)
  const targets = targetsOf(recalled.fresh, {
    locked: toLockedThreads(locks),
    threads: new Map(threads.map((thread) => [thread.id, thread])),
    comments: new Map(comments.map((row) => [row.id, toCommentForWrite(row)])),
    writers: new Set(writers.map(({ id }) => id)),
    bans: new Map(all.map((edit, n) => [edit, matches[n]!])),
  })
  const { refused, allowed } = sortOut(targets)
  const edits: ReadonlyMap<Edit, JudgedEdit> =
    allowed.size > 0 ? await judgeInTurn(tx, allowed) : new Map()
  const store = (send: Send) => storeEdits(send, siteId, edits)
  const ended = [...refused.keys(), ...edits.keys(), ...recalledOutcomes(recalled).keys()]
  return {
    recalled,
    outcomes: refused,
    store: edits.size > 0 ? store : undefined,
    threadOf,
    changedThreads: ended.map(threadOf),
    mayTellOfHide: true,
  }
}

/** The rows that edits depend on, read under the locks of their threads. */
type Found = {
  /** The ids of threads that this transaction has locked. */
  readonly locked: ReadonlySet<number>
  readonly threads: ReadonlyMap<number, ThreadForWrite>
  readonly comments: ReadonlyMap<number, CommentForWrite>
  /** The ids of authors whose rows this transaction has locked. */
  readonly writers: ReadonlySet<number>
  readonly bans: ReadonlyMap<Edit, readonly BanMatch[]>
}

/**
 * The first edit of each comment, if the comment's author makes it and this transaction has locked the thread, the
 * comment and the author.
 */
const targetsOf = (
  edits: readonly Edit[],
  { locked, threads, comments, writers, bans }: Found,
): ReadonlyMap<Edit, EditTarget> => {
  const targets = new Map<Edit, EditTarget>()
  const firsts = new Map(edits.toReversed().map((edit) => [edit.comment.id, edit]))
  for (const edit of edits) {
    const { caller, comment: key } = edit
    const thread = threads.get(key.threadId)
    const comment = comments.get(key.id)
    if (!thread || !locked.has(thread.id) || comment?.threadId !== thread.id) continue
    const isOwn = isAuthor(caller, comment.author) && writers.has(comment.author.id)
    if (isOwn && !mayModerate(caller) && firsts.get(comment.id) === edit)
      targets.set(edit, { thread, comment, bans: bans.get(edit)! })
  }
  return targets
}

/** Refuses the edits that are not allowed, and prepares the texts of the others. */
const sortOut = (targets: ReadonlyMap<Edit, EditTarget>) => {
  const refused = new Map<Edit, Outcome<Edited>>()
  const allowed = new Map<Edit, TextToJudge>()
  for (const [edit, target] of targets) {
    try {
      assertMayEdit(edit, target.comment, target.thread)
      allowed.set(edit, toJudge({ ...edit, ...target }))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused.set(edit, { refusal: error })
    }
  }
  return { refused, allowed }
}

/**
 * Judges texts of different comments by counts that they share. The latest texts of all their authors and networks
 * are compared with each of them: one that is like none of these is like none of its own.
 */
const judgeInTurn = async (
  tx: Tx,
  texts: ReadonlyMap<Edit, TextToJudge>,
): Promise<ReadonlyMap<Edit, JudgedEdit>> => {
  const counted = await countForTexts(tx, [...texts.values()])
  const edits = new Map<Edit, JudgedEdit>()
  const earlier: EarlierPost[] = []
  for (const [edit, text] of texts) {
    const { comment, thread, origin } = text
    const judged = judgeByFacts(text, counted, earlier)
    if (judged.facts.repeats.near > 0 || !changesTextOnly(comment, judged)) continue
    earlier.push({ ...origin, threadId: thread.id, verdict: undefined })
    edits.set(edit, { comment, judged })
  }
  return edits
}

type JudgedEdit = { readonly comment: CommentForWrite; readonly judged: JudgedText }

/** Stores edits that change texts only. */
const storeEdits = async (
  send: Send,
  siteId: number,
  edits: ReadonlyMap<Edit, JudgedEdit>,
): Promise<Outcomes<Edit, Edited>> => {
  const texts = [...edits].map(([{ body, bodyHtml }, { comment, judged }]) => {
    const by = storedId('author', comment.author.id)
    return { comment, body, bodyHtml, judged, by }
  })
  const visible = texts.filter(({ comment }) => isVisible(comment.status))
  const threadIds = [...new Set(visible.map(({ comment }) => comment.threadId))]
  const arrivals = texts.map(({ judged }) => judged.arrival)
  const [rows, , , touched] = await send([
    reviseJudged(siteId, RENDERER_VERSION, texts),
    insertArrivals(siteId, arrivals),
    ...writeVersions(siteId, threadIds),
  ])
  const revised = new Map(rows.map(({ id, ...row }) => [id, row]))
  const versions = new Map(touched.map(({ id, version }) => [id, version]))
  return new Map(
    [...edits].map(([edit, { comment }]) => {
      const { body, bodyHtml, present } = edit
      const isPublic = isVisible(comment.status)
      // Authors are not told whether their comment is pending or spam.
      const status = isPublic ? comment.status : 'pending'
      const edited: Edited = {
        comment: { ...comment, ...revised.get(comment.id)!, body, bodyHtml, status },
        version: isPublic ? versions.get(comment.threadId) : undefined,
        checking: 'never',
      }
      return [edit, { response: present(edited), effect: edited }]
    }),
  )
}
