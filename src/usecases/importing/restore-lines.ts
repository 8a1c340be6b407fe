import { RENDERER_VERSION, renderMarkdown } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Facts } from '../../domain/screening/facts.ts'
import type { Finding } from '../../domain/screening/finding.ts'
import { skeletonOf } from '../../domain/screening/name-skeleton.ts'
import { isJudgement } from '../../domain/screening/stored-facts.ts'
import { validatePolicy } from '../../domain/screening/validate-policy.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { ensureOrigin } from '../../postgres/importing/imports.ts'
import {
  findMembersBySubject,
  findThreadsOf,
  type RestoredComment,
  takeIds,
} from '../../postgres/importing/restored-ids.ts'
import * as rows from '../../postgres/importing/restored-rows.ts'
import { toJudgementColumns } from '../../postgres/screening/stored-judgements.ts'
import type { RecordKind } from '../exporting/names.ts'
import type * as lines from '../exporting/present-lines.ts'
import type { RestoredNames, Source } from './restored-names.ts'

/** A fault of a line, which stops the import. */
export class LineFault extends Error {
  readonly line: number

  constructor(line: number, sentence: string) {
    super(sentence)
    this.line = line
  }
}

/** A line with its number in the file. */
export type Numbered<L> = L & { readonly line: number }

export type Restoration = Source & {
  readonly importId: number
  /** Whether the site was empty: then members, rights, policies, judgements and settings come along. */
  readonly isWhole: boolean
}

/** One transaction of a restoration. */
export type Act = { readonly tx: Tx; readonly of: Restoration; readonly names: RestoredNames }

export type Effect = { readonly created: number; readonly matched: number }

type Line<F extends (...args: any[]) => object> = Numbered<ReturnType<F>>

export const restoreAuthors = async (
  { tx, of, names }: Act,
  all: readonly Line<typeof lines.presentAuthor>[],
): Promise<Effect> => {
  const unknown = all.filter(({ id }) => !names.authors.has(id))
  const subjects = unknown.flatMap(({ subject }) =>
    of.isWhole && subject !== null ? [subject] : [],
  )
  const known = await findMembersBySubject(tx, of.siteId, subjects)
  const fresh = unknown.filter(
    ({ subject }) => !(of.isWhole && subject !== null && known.has(subject)),
  )
  const ids = await takeIds(tx, 'author', fresh.length)
  await rows.insertAuthors(
    tx,
    of.siteId,
    fresh.map((author, n) => ({
      ...(of.isWhole ? toMember(author) : toGuest(author)),
      row: ids[n],
    })),
  )
  const idOf = new Map(fresh.map(({ id }, n) => [id, ids[n]!]))
  const remembered = all.flatMap(({ id, former_ids, subject }) => {
    const row = names.authors.get(id) ?? idOf.get(id) ?? known.get(subject!)!
    return [...(names.authors.has(id) ? [] : [id]), ...former_ids].map((sourceId) => ({
      sourceId,
      id: row,
    }))
  })
  await rows.rememberAuthors(tx, of, remembered)
  return { created: fresh.length, matched: all.length - fresh.length }
}

const toMember = (author: Line<typeof lines.presentAuthor>) => ({
  ...author,
  skeleton: author.is_member && author.erased_at === null ? skeletonOf(author.name) : null,
})

/** An author of an export that mixes with others is a guest here, whatever rights it had there. */
const toGuest = (author: Line<typeof lines.presentAuthor>) => ({
  ...author,
  is_member: false,
  role: 'reader',
  avatar_url: null,
  email_verified: false,
  location: null,
  subject: null,
  signed_on_at: null,
  token_roles: [],
  granted_roles: [],
  token_roles_ignored: false,
  listed: false,
  suspended_at: null,
  skeleton: null,
})

/** Takes ids for the rows of a kind that are new, and remembers them. */
const takeRecords = async <L extends { readonly id: string }>(
  { tx, of, names }: Act,
  kind: RecordKind,
  all: readonly L[],
): Promise<(L & { readonly row: number })[]> => {
  const fresh = all.filter(({ id }) => !names.records[kind].has(id))
  const ids = await takeIds(tx, kind, fresh.length)
  const taken = fresh.map((line, n) => ({ ...line, row: ids[n]! }))
  await rows.rememberRecords(
    tx,
    { ...of, kind },
    taken.map(({ id, row }) => ({ id, row })),
  )
  for (const { id, row } of taken) names.records[kind].set(id, row)
  return taken
}

const authorOf = (
  { names }: Act,
  { line, author_id: id }: { line: number; author_id: string | null },
) => {
  if (id === null) return null
  const author = names.authors.get(id)
  if (author === undefined) throw new LineFault(line, 'author_id names no author of a line before')
  return author
}

const commentOf = (
  { names }: Act,
  { line, comment_id: id }: { line: number; comment_id: string },
) => {
  const comment = names.comments.get(id)
  if (!comment) throw new LineFault(line, 'comment_id names no comment of a line before')
  return {
    thread: comment.threadId,
    comment: comment.id,
    home: comment.homeThreadId ?? comment.threadId,
  }
}

const recordOf = (
  { names }: Act,
  kind: RecordKind,
  { line, id }: { line: number; id: string | null },
) => {
  if (id === null) return null
  const row = names.records[kind].get(id)
  if (row === undefined) throw new LineFault(line, `${id} names no ${kind} of a line before`)
  return row
}

export const restoreNotes = async (act: Act, all: readonly Line<typeof lines.presentNote>[]) => {
  const fresh = await takeRecords(act, 'note', all)
  const made = fresh.map((note) => ({
    ...note,
    author: authorOf(act, note),
    by: act.names.doer(note.by),
  }))
  await rows.insertNotes(act.tx, act.of.siteId, made)
}

export const restoreReasons = async (act: Act, all: readonly Line<typeof lines.presentReason>[]) =>
  rows.insertReasons(act.tx, act.of.siteId, await takeRecords(act, 'reason', all))

export const restorePolicies = async (
  { tx, of, names }: Act,
  all: readonly Line<typeof lines.presentPolicy>[],
  inForce: number,
) => {
  if (!of.isWhole) return
  for (const { line, policy } of all)
    if (!validatePolicy(policy).ok) throw new LineFault(line, 'policy is not a valid policy')
  await rows.insertPolicies(
    tx,
    of.siteId,
    all.map((policy) => ({ ...policy, by: names.doer(policy.by) })),
  )
  await rows.enforcePolicy(tx, of.siteId, inForce)
}

/** A ban names one subject, of its kind. */
export const restoreBans = async (act: Act, all: readonly Line<typeof lines.presentBan>[]) => {
  const fresh = await takeRecords(act, 'ban', all)
  const made = fresh.map((ban) => ({
    ...ban,
    author: ban.subject === 'author' ? authorOf(act, ban) : null,
    network: ban.subject === 'network' ? ban.network : null,
    hash:
      ban.subject === 'email' && ban.email_hash !== null
        ? Buffer.from(ban.email_hash, 'base64url').toString('hex')
        : null,
    by: act.names.doer(ban.by),
    lifted_by: ban.lifted_by && act.names.doer(ban.lifted_by),
  }))
  await rows.insertBans(act.tx, act.of.siteId, made)
}

export const restoreThreads = async (
  { tx, of }: Act,
  all: readonly Line<typeof lines.presentThread>[],
): Promise<Effect> => {
  const created = await rows.insertThreads(tx, of.siteId, all)
  return { created, matched: all.length - created }
}

export type CommentLine = Line<typeof lines.presentComment>

/** @returns how many comments are new, and the threads of all of them */
export const restoreComments = async (
  act: Act,
  all: readonly CommentLine[],
): Promise<Effect & { readonly threadIds: readonly number[] }> => {
  const { tx, of, names } = act
  const threads = await findThreadsOf(tx, of.siteId, [...new Set(all.map((one) => one.article_id))])
  const known = all.filter(({ id }) => names.comments.has(id))
  const fresh = all.filter(({ id }) => !names.comments.has(id))
  const ids = await takeIds(tx, 'comment', fresh.length)
  const made: object[] = []
  for (const [n, comment] of fresh.entries()) {
    const place = placeOf(act, comment, threads)
    names.comments.set(comment.id, { ...place, id: ids[n]!, homeThreadId: null })
    made.push(await toRow(act, comment, { ...place, row: ids[n]! }))
  }
  await rows.insertComments(tx, of.siteId, made)
  await rows.rememberComments(
    tx,
    of,
    fresh.map(({ id: sourceId, ...one }) => ({
      ...one,
      sourceId,
      id: names.comments.get(sourceId)!.id,
      home: names.comments.get(sourceId)!.threadId,
    })),
  )
  await rows.addVotesSince(
    tx,
    of,
    known.map(({ id: sourceId, upvotes, downvotes }) => {
      const { id: row, threadId: thread } = names.comments.get(sourceId)!
      return { sourceId, row, thread, upvotes, downvotes }
    }),
  )
  const threadIds = all.map(({ id }) => names.comments.get(id)!.threadId)
  return { created: fresh.length, matched: known.length, threadIds: [...new Set(threadIds)] }
}

/** The largest depth of any site. */
const MAX_DEPTH = 400

type Place = {
  readonly threadId: number
  readonly depth: number
  readonly parent: RestoredComment | undefined
}

/** A reply is in the thread in which its parent is now. */
const placeOf = (
  { names }: Act,
  comment: CommentLine,
  threads: ReadonlyMap<string, number>,
): Place => {
  const { line, parent_id: parentId, article_id: articleId } = comment
  const parent = parentId === null ? undefined : names.comments.get(parentId)
  if (parentId !== null && !parent)
    throw new LineFault(line, 'parent_id names no comment of a line before')
  const threadId = parent?.threadId ?? threads.get(articleId)
  if (threadId === undefined)
    throw new LineFault(line, 'article_id names no thread of a line before')
  const depth = parent ? parent.depth + 1 : 0
  if (depth > MAX_DEPTH)
    throw new LineFault(line, `the comment is deeper than ${MAX_DEPTH} replies`)
  return { threadId, depth, parent }
}

const toRow = async (
  act: Act,
  comment: CommentLine,
  { threadId, depth, parent, row }: Place & { readonly row: number },
): Promise<object> => {
  const { isWhole } = act.of
  return {
    ...comment,
    row,
    thread: threadId,
    depth,
    parent: parent?.id ?? 0,
    parent_home: parent?.homeThreadId ?? null,
    author: authorOf(act, comment),
    shadowed: isWhole && comment.shadowed && !isVisible(comment.status),
    published_at: comment.published_at ?? (isVisible(comment.status) ? comment.created_at : null),
    html: await render(comment.body),
    renderer: RENDERER_VERSION,
    title: comment.article.title,
    url: comment.article.url,
    policy_version: isWhole ? comment.policy_version : null,
    ...(isWhole ? toJudgement(act, comment) : NO_JUDGEMENT),
  }
}

const NO_JUDGEMENT = { facts: null, screening: null, packed_facts: null, packed_trace: null }

const toJudgement = (act: Act, { line, facts, trace }: CommentLine) => {
  if (facts === null || trace === null) return NO_JUDGEMENT
  if (!isJudgement(facts, trace))
    throw new LineFault(line, 'facts and trace are not those of a judgement')
  const given = facts as Facts
  const bans = given.bans.map(({ id, effect }) => ({
    id: recordOf(act, 'ban', { line, id: String(id) })!,
    effect,
  }))
  const columns = toJudgementColumns({ facts: { ...given, bans }, trace: trace as Finding[] })
  return {
    facts: columns.facts && JSON.parse(columns.facts),
    screening: columns.screening && JSON.parse(columns.screening),
    packed_facts: columns.packedFacts,
    packed_trace: columns.packedTrace,
  }
}

/** The HTML of the file counts nothing: the text is rendered anew. Other requests come between two texts. */
const render = async (body: string): Promise<string> => {
  await new Promise((resolve) => setImmediate(resolve))
  return renderMarkdown(body)
}

export const restoreRevisions = async (
  act: Act,
  all: readonly Line<ReturnType<typeof lines.presentRevision>>[],
) => {
  const made: object[] = []
  for (const revision of all)
    made.push({
      ...revision,
      comment: commentOf(act, revision).comment,
      html: await render(revision.body),
      by: act.names.doer(revision.replaced_by),
    })
  await rows.insertRevisions(act.tx, act.of.siteId, made)
}

export const restoreVotes = (act: Act, all: readonly Line<typeof lines.presentVote>[]) =>
  rows.insertVotes(
    act.tx,
    act.of.siteId,
    all.map((vote) => ({ ...vote, ...commentOf(act, vote), author: authorOf(act, vote) })),
  )

export const restoreBatches = async (act: Act, all: readonly Line<typeof lines.presentBatch>[]) => {
  const fresh = await takeRecords(act, 'batch', all)
  const made = fresh.map((batch) => ({
    ...batch,
    by: act.names.doer(batch.by),
    request: {
      ...(batch.to !== null && { to: batch.to }),
      ...(batch.undoes !== null && {
        batchId: recordOf(act, 'batch', { line: batch.line, id: batch.undoes }),
      }),
    },
  }))
  await rows.insertBatches(act.tx, act.of.siteId, made)
}

export const restoreDecisions = async (
  act: Act,
  all: readonly Line<typeof lines.presentDecision>[],
) => {
  const { tx, of, names } = act
  const threads = await findThreadsOf(
    tx,
    of.siteId,
    all.flatMap(({ article_id: id }) => id ?? []),
  )
  const fresh = await takeRecords(act, 'decision', all)
  const made = fresh.map((decision) => {
    const { line, comment_id: id } = decision
    const place = id === null ? undefined : commentOf(act, { line, comment_id: id })
    return {
      ...decision,
      comment: place?.comment ?? null,
      thread: place?.home ?? threads.get(decision.article_id ?? '') ?? null,
      author: authorOf(act, decision),
      subject: names.subject(decision),
      before: names.changed(decision.before),
      after: names.changed(decision.after),
      by: names.doer(decision.by),
      cause: recordOf(act, 'decision', { line, id: decision.caused_by }),
      undone: recordOf(act, 'decision', { line, id: decision.undoes }),
      batch: recordOf(act, 'batch', { line, id: decision.batch_id }),
    }
  })
  await rows.insertDecisionRows(tx, of.siteId, made)
}

export const restoreFlags = (act: Act, all: readonly Line<typeof lines.presentFlag>[]) =>
  rows.insertFlags(
    act.tx,
    act.of.siteId,
    all.map((flag) => ({
      ...flag,
      ...commentOf(act, flag),
      author: authorOf(act, flag),
      decision: recordOf(act, 'decision', { line: flag.line, id: flag.resolved_by }),
    })),
  )

export const restoreAppeals = async (
  act: Act,
  all: readonly Line<typeof lines.presentAppeal>[],
) => {
  const fresh = await takeRecords(act, 'appeal', all)
  const made = fresh.map((appeal) => ({
    ...appeal,
    ...commentOf(act, appeal),
    author: authorOf(act, appeal),
    decision: recordOf(act, 'decision', { line: appeal.line, id: appeal.decision_id }),
    by: appeal.decided_by && act.names.doer(appeal.decided_by),
    answered_by: appeal.answered_by && act.names.doer(appeal.answered_by),
  }))
  await rows.insertAppeals(act.tx, act.of.siteId, made)
}

export const restoreAuthorIds = async (
  act: Act,
  all: readonly Line<typeof lines.presentAuthorId>[],
) => {
  for (const [origin, some] of Map.groupBy(all, (line) => line.origin)) {
    const originId = await ensureOrigin(act.tx, act.of.siteId, origin)
    const made = some.map((line) => ({
      sourceId: line.source_id,
      id: authorOf(act, line)!,
      hash: line.profile_hash,
    }))
    await rows.rememberAuthors(act.tx, { ...act.of, originId }, made)
  }
}

export const restoreCommentIds = async (
  act: Act,
  all: readonly Line<typeof lines.presentCommentId>[],
) => {
  for (const [origin, some] of Map.groupBy(all, (line) => line.origin)) {
    const originId = await ensureOrigin(act.tx, act.of.siteId, origin)
    const made = some.map((line) => {
      const { comment: id, home } = commentOf(act, line)
      return { ...line, sourceId: line.source_id, id, home, hash: line.text_hash }
    })
    await rows.rememberComments(act.tx, { ...act.of, originId }, made)
  }
}

export const restoreAliases = (
  { tx, of }: Act,
  all: readonly Line<typeof lines.presentAlias>[],
): Promise<void> => rows.insertAliases(tx, of.siteId, all)
