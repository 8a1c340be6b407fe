import { isVisible, type Reason, type Status } from '../comment/status.ts'
import type { Instant } from '../instant.ts'
import { AUTOMATIC, BY_FLAGS } from '../people/caller.ts'
import { authorId as publicId } from '../public-id.ts'
import type { Finding } from '../screening/finding.ts'
import type { Policy } from '../screening/policy.ts'

/** What became of a comment, as its author may know it. */
export const STATEMENT_STATUSES = ['published', 'held', 'removed'] as const
export type StatementStatus = (typeof STATEMENT_STATUSES)[number]

export const DECIDERS = ['rules', 'moderator', 'readers', 'author'] as const
export type Decider = (typeof DECIDERS)[number]

export const OUTCOMES = ['upheld', 'overturned'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What an author asked, and what it was told. */
export type OwnAppeal = {
  readonly id: number
  readonly text: string
  readonly at: Instant
  readonly outcome: Outcome | null
  readonly note: string | null
  readonly answeredAt: Instant | null
}

/** A decision, as far as it says why a comment stands as it does. */
export type DecisiveDecision = {
  readonly from: Status
  readonly by: string
  readonly at: Instant
  readonly reason: Reason | null
}

/** A comment with all that says how it came to its status. */
export type StatementSource = {
  readonly authorId: number
  readonly status: Status
  readonly isShadowed: boolean
  readonly createdAt: Instant
  readonly editedAt: Instant | null
  readonly trace: readonly Finding[] | null
  /** The decision that gave it this status, or that published one that is shadowed now; null: none did. */
  readonly decision: DecisiveDecision | null
  readonly appeal: OwnAppeal | null
  /** The database's time of reading. */
  readonly readAt: Instant
}

/** Why a comment stands as it does, for its author. */
export type Statement = {
  readonly standing: StatementStatus
  readonly decidedBy: Decider
  readonly reason: Reason | null
  /** Those that held it or turned it down. */
  readonly rules: readonly { readonly rule: string; readonly says: string }[]
  /** Null when its author deleted it. */
  readonly decidedAt: Instant | null
  readonly appeal: OwnAppeal | null
  readonly mayAppeal: boolean
}

/**
 * What rules are called in a statement. A sentence says what a rule looks at, never what it has found:
 * neither words nor numbers, and nothing of others.
 */
const SAYINGS: Record<keyof Policy['rules'] | 'moderation_mode' | 'ban', string> = {
  moderation_mode: 'Every comment here is looked at before it is published.',
  ban: 'What this author writes is looked at before it is published.',
  role: 'Comments of some roles are looked at.',
  first_comments: 'The first comments of an author are looked at before they are published.',
  rejections: 'Several recent comments of the author were turned down.',
  words: 'It has words that this site looks at, or does not allow.',
  links: 'It has more links than this site allows.',
  links_of_new: 'It has links, and the author is new here.',
  link_domains: 'It links to a place that this site does not allow.',
  repeats: 'The same text, or nearly the same, was posted before.',
  thread_flood: 'Too many comments arrived in the thread at once.',
  network_flood: 'Too many comments arrived from one network at once.',
  site_flood: 'Too many comments arrived on the site at once.',
  length: 'It is too short or too long.',
  shouting: 'Most of it is in capitals.',
  disposable_email: 'The e-mail address is of a kind that this site does not take.',
  old_threads: 'The thread is old.',
  checks: 'A service that this site asks about comments spoke against it, or did not answer.',
}
const OTHER_RULE = 'A rule of this site.'

/** So long what is only held is left to the queue: a moderator is likely to come by. */
const PATIENCE_MS = 86_400_000

/**
 * Whether it is pending or spam is not for its author to know, unless a person decided so; that it is
 * shadowed never is.
 */
export const buildStatement = (comment: StatementSource): Statement => {
  const decidedBy = deciderOf(comment)
  const standing = standingOf(comment, decidedBy)
  const isPublished = standing === 'published'
  const statement = {
    standing,
    decidedBy,
    reason: isPublished ? null : (comment.decision?.reason ?? null),
    rules: isPublished || decidedBy !== 'rules' ? [] : sayingsOf(comment.trace ?? []),
    decidedAt: decidedBy === 'author' ? null : timeOf(comment, standing),
    appeal: comment.appeal,
  }
  return { ...statement, mayAppeal: mayAppeal(statement, comment.readAt) }
}

const isAutomatic = ({ by }: DecisiveDecision): boolean => AUTOMATIC.includes(by)

const deciderOf = ({ authorId, status, decision }: StatementSource): Decider => {
  if (!decision) return status === 'deleted' ? 'author' : 'rules'
  // A moderator that deletes its own comment leaves a decision.
  if (status === 'deleted' && decision.by === publicId(authorId)) return 'author'
  if (!isAutomatic(decision)) return 'moderator'
  return decision.by === BY_FLAGS ? 'readers' : 'rules'
}

const standingOf = (
  { status, isShadowed }: StatementSource,
  decidedBy: Decider,
): StatementStatus => {
  if (decidedBy === 'author') return 'removed'
  if (isShadowed || isVisible(status)) return 'published'
  if (status === 'pending') return 'held'
  return status === 'spam' && decidedBy !== 'moderator' ? 'held' : 'removed'
}

/** What rules make of a comment that is held already is told by no time either. */
const timeOf = (
  { decision, editedAt, createdAt }: StatementSource,
  standing: StatementStatus,
): Instant => {
  const isTold =
    decision && !(standing === 'held' && isAutomatic(decision) && decision.from === 'pending')
  return isTold ? decision.at : (editedAt ?? createdAt)
}

const mayAppeal = (
  { standing, decidedBy, decidedAt, appeal }: Omit<Statement, 'mayAppeal'>,
  readAt: Instant,
): boolean => {
  if (standing === 'published' || decidedBy === 'author' || appeal) return false
  if (standing === 'removed' || decidedBy === 'moderator') return true
  return Date.parse(readAt) - Date.parse(decidedAt!) >= PATIENCE_MS
}

/** Each once; all services outside are one. A ban that shadows is told by nothing. */
const sayingsOf = (trace: readonly Finding[]): Statement['rules'] => {
  const speaks = ({ rule, says, counts = true }: Finding): boolean =>
    counts && says !== 'approved' && !(rule === 'ban' && says === 'rejected')
  const names = trace.filter(speaks).map(({ rule }) => rule.replace(/^checks\..*$/s, 'checks'))
  const says = new Map(Object.entries(SAYINGS))
  return [...new Set(names)].map((rule) => ({ rule, says: says.get(rule) ?? OTHER_RULE }))
}
