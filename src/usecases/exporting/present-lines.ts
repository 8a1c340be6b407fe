import type { Site } from '../../domain/site/site.ts'
import {
  type ExportedAlias,
  type ExportedAppeal,
  type ExportedAuthor,
  type ExportedBan,
  type ExportedBatch,
  type ExportedComment,
  type ExportedDecision,
  type ExportedFlag,
  type ExportedNote,
  type ExportedPolicy,
  type ExportedReason,
  type ExportedRevision,
  type ExportedThread,
  type ExportedVote,
  judgementOf,
} from '../../postgres/exporting/exported-rows.ts'
import type { ExportedAuthorId, ExportedCommentId } from '../../postgres/exporting/imported-ids.ts'
import type { Names } from './names.ts'

/** Lines of a site export. Every function names each field, in the order of `LINES` in `domain/exporting/lines.ts`. */

export const presentSite = (site: Site) => ({
  kind: 'site',
  name: site.name,
  origins: site.origins,
  article_ids: site.articleIds,
  moderation: site.moderation,
  who_may_post: site.posting,
  state: site.state,
  who_may_read: site.reading,
  voting: site.voting,
  email_required: site.emailRequired,
  min_body_length: site.minBodyLength,
  max_body_length: site.maxBodyLength,
  language: site.language,
  reserved_names: site.reservedNames,
  login_url: site.loginUrl,
  edit_window_seconds: site.editWindowSeconds,
  max_depth: site.maxDepth,
  limits: site.limits,
  sorts: site.sorts,
  retention_days: site.retentionDays,
  flag_threshold: site.flagThreshold,
  close_after_days: site.closeAfterDays,
  slow_mode_seconds: site.slowModeSeconds,
  policy_version: site.policyVersion,
})

export const presentAuthor = (names: Names, author: ExportedAuthor) => ({
  kind: 'author',
  id: names.author(author.id),
  former_ids: names.formerIds(author.id),
  is_member: author.kind === 'member',
  role: author.role,
  name: author.name,
  url: author.url,
  avatar_url: author.avatarUrl,
  email: author.email,
  email_verified: author.emailVerified,
  location: author.location,
  subject: author.subject,
  signed_on_at: author.signedOnAt,
  token_roles: author.tokenRoles,
  granted_roles: author.grantedRoles,
  token_roles_ignored: author.tokenRolesIgnored,
  listed: author.listed,
  suspended_at: author.suspendedAt,
  created_at: author.createdAt,
  erased_at: author.erasedAt,
})

export const presentNote = (names: Names, note: ExportedNote) => ({
  kind: 'note',
  id: names.record('note', note.id),
  author_id: names.author(note.authorId),
  note: note.note,
  by: names.doer(note.by),
  at: note.at,
})

export const presentReason = (names: Names, reason: ExportedReason) => ({
  kind: 'reason',
  id: names.record('reason', reason.id),
  title: reason.title,
  reason: reason.reason,
  note: reason.note,
})

export const presentPolicy = (names: Names, policy: ExportedPolicy) => ({
  kind: 'policy',
  version: policy.id,
  policy: inOrder(policy.policy),
  note: policy.note,
  by: names.doer(policy.by),
  at: policy.at,
})

export const presentBan = (names: Names, ban: ExportedBan) => ({
  kind: 'ban',
  id: names.record('ban', ban.id),
  subject: ban.kind,
  author_id: ban.authorId === null ? null : names.author(ban.authorId),
  network: ban.network,
  email_hash: ban.emailHash?.toString('base64url') ?? null,
  domain: ban.domain,
  effect: ban.effect,
  reason: ban.reason,
  note: ban.note,
  by: names.doer(ban.by),
  at: ban.at,
  expires_at: ban.expiresAt,
  lifted_by: ban.liftedBy && names.doer(ban.liftedBy),
  lifted_at: ban.liftedAt,
})

export const presentThread = (_names: Names, thread: ExportedThread) => ({
  kind: 'thread',
  article_id: thread.articleId,
  title: thread.title,
  url: thread.url,
  state: thread.state,
  closes_at: thread.closesAt,
  stays_open: thread.staysOpen,
  slow_mode_seconds: thread.slowModeSeconds,
  moderation: thread.moderation,
  created_at: thread.createdAt,
})

export const presentAlias = (_names: Names, alias: ExportedAlias) => ({
  kind: 'alias',
  article_id: alias.articleId,
  of: alias.of,
  via: alias.via,
  is_bare: alias.isBare,
})

export const presentComment = (names: Names, comment: ExportedComment) => {
  const { threadId, parentId, parentHomeThreadId } = comment
  return {
    kind: 'comment',
    id: names.comment(comment),
    article_id: comment.articleId,
    parent_id:
      parentId === 0
        ? null
        : names.comment({ threadId, id: parentId, homeThreadId: parentHomeThreadId }),
    author_id: names.author(comment.authorId),
    status: comment.status,
    withdrawn_at: comment.withdrawnAt,
    withdrawn_from: comment.withdrawnFrom,
    redacted_at: comment.redactedAt,
    shadowed: comment.shadowed,
    pinned: comment.pinned,
    locked: comment.locked,
    revision: comment.revision,
    created_at: comment.createdAt,
    published_at: comment.publishedAt,
    edited_at: comment.editedAt,
    body: comment.body,
    article: { title: comment.articleTitle, url: comment.articleUrl },
    names_article: comment.namesArticle,
    policy_version: comment.policyVersion,
    ...presentJudgement(names, comment),
    risk: comment.risk,
    upvotes: comment.upvotes,
    downvotes: comment.downvotes,
  }
}

const presentJudgement = (names: Names, comment: ExportedComment) => {
  const judgement = judgementOf(comment)
  if (!judgement) return { facts: null, trace: null }
  const { facts, trace } = judgement
  const bans = facts.bans.map(({ id, effect }) => ({ id: names.record('ban', id), effect }))
  return { facts: inOrder({ ...facts, bans }), trace: inOrder(trace) }
}

export const presentRevision =
  ({ id }: { readonly id: string }) =>
  (names: Names, { revision, body, at, by }: ExportedRevision) => ({
    kind: 'revision',
    comment_id: id,
    revision,
    body,
    replaced_at: at,
    replaced_by: names.doer(by),
  })

export const presentVote = (names: Names, vote: ExportedVote) => ({
  kind: 'vote',
  comment_id: names.comment(vote),
  author_id: names.author(vote.authorId),
  value: vote.value,
  at: vote.at,
})

export const presentBatch = (names: Names, batch: ExportedBatch) => ({
  kind: 'batch',
  id: names.record('batch', batch.id),
  acts: batch.kind,
  to: batch.to,
  undoes: batch.undoes === null ? null : names.record('batch', batch.undoes),
  by: names.doer(batch.by),
  at: batch.at,
  total: batch.total,
  done: batch.done,
  changed: batch.changed,
  outcomes: inOrder(batch.outcomes),
  ended_at: batch.endedAt,
})

export const presentDecision = (names: Names, decision: ExportedDecision) => {
  const nameOf = (kind: 'decision' | 'batch', id: number | null) =>
    id === null ? null : names.record(kind, id)
  const { commentId, homeThreadId, authorId } = decision
  return {
    kind: 'decision',
    id: names.record('decision', decision.id),
    action: decision.action,
    article_id: decision.articleId,
    comment_id:
      commentId === null || homeThreadId === null
        ? null
        : names.comment({ threadId: homeThreadId, id: commentId }),
    author_id: authorId === null ? null : names.author(authorId),
    subject: names.subject(decision),
    from: decision.from,
    to: decision.to,
    before: inOrder(names.changed(decision.before)),
    after: inOrder(names.changed(decision.after)),
    reason: decision.reason,
    note: decision.note,
    by: names.doer(decision.by),
    at: decision.at,
    caused_by: nameOf('decision', decision.causedBy),
    undoes: nameOf('decision', decision.undoes),
    batch_id: nameOf('batch', decision.batchId),
    policy_version: decision.policyVersion,
    held_ms: decision.heldMs,
  }
}

export const presentFlag = (names: Names, flag: ExportedFlag) => ({
  kind: 'flag',
  comment_id: names.comment(flag),
  author_id: names.author(flag.authorId),
  reason: flag.reason,
  note: flag.note,
  at: flag.at,
  resolved_at: flag.resolvedAt,
  resolved_by: flag.resolvedBy === null ? null : names.record('decision', flag.resolvedBy),
})

export const presentAppeal = (names: Names, appeal: ExportedAppeal) => ({
  kind: 'appeal',
  id: names.record('appeal', appeal.id),
  comment_id: names.comment({ threadId: appeal.homeThreadId, id: appeal.commentId }),
  author_id: names.author(appeal.authorId),
  text: appeal.text,
  at: appeal.at,
  decision_id: appeal.decisionId === null ? null : names.record('decision', appeal.decisionId),
  decided_by: appeal.by && names.doer(appeal.by),
  outcome: appeal.outcome,
  note: appeal.note,
  answered_by: appeal.answeredBy && names.doer(appeal.answeredBy),
  answered_at: appeal.answeredAt,
})

export const presentAuthorId = (names: Names, row: ExportedAuthorId) => ({
  kind: 'imported_author',
  origin: row.origin,
  source_id: row.sourceId,
  author_id: names.author(row.authorId),
  profile_hash: row.profileHash,
})

export const presentCommentId = (names: Names, row: ExportedCommentId) => ({
  kind: 'imported_comment',
  origin: row.origin,
  source_id: row.sourceId,
  comment_id: names.comment({ threadId: row.homeThreadId, id: row.commentId }),
  text_hash: row.textHash,
  status: row.status,
  upvotes: row.upvotes,
  downvotes: row.downvotes,
  pinned: row.pinned,
})

/** A JSON value with the names of all objects in order: the two stored forms of facts differ in it. */
export const inOrder = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(inOrder)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, inOrder((value as Record<string, unknown>)[name])]),
  )
}
