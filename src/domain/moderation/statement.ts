import { isVisible, type Reason, type Status } from '../comment/status.ts'
import type { Instant } from '../instant.ts'
import { AUTOMATIC, BY_FLAGS } from '../people/caller.ts'
import type { Finding } from '../screening/finding.ts'
import type { Policy } from '../screening/policy.ts'
import { storedId } from '../stored-id.ts'

/** The status of a comment, as far as its author may know it. */
export const STATEMENT_STATUSES = ['published', 'held', 'removed'] as const
export type StatementStatus = (typeof STATEMENT_STATUSES)[number]

export const DECIDERS = ['rules', 'moderator', 'readers', 'author'] as const
export type Decider = (typeof DECIDERS)[number]

export const APPEAL_OUTCOMES = ['upheld', 'overturned'] as const
export type AppealOutcome = (typeof APPEAL_OUTCOMES)[number]

/** An appeal with its answer, as its author sees it. */
export type OwnAppeal = {
  readonly id: number
  readonly text: string
  readonly at: Instant
  readonly outcome: AppealOutcome | null
  readonly note: string | null
  readonly answeredAt: Instant | null
}

/** The decision that explains a comment's status. */
export type DecisiveDecision = {
  readonly from: Status
  readonly by: string
  readonly at: Instant
  readonly reason: Reason | null
}

/** A comment with what explains its status. */
export type StatementSource = {
  readonly authorId: number
  readonly status: Status
  readonly isShadowed: boolean
  readonly isRedacted: boolean
  readonly createdAt: Instant
  readonly editedAt: Instant | null
  readonly trace: readonly Finding[] | null
  /** The decision that led to this status, or that published a shadowed comment; null if none did. */
  readonly decision: DecisiveDecision | null
  /** The latest. */
  readonly appeal: OwnAppeal | null
  /** The time of reading, by the database's clock. */
  readonly readAt: Instant
}

/** The statement of reasons that an author gets for a comment's status. */
export type Statement = {
  readonly standing: StatementStatus
  readonly decidedBy: Decider
  readonly reason: Reason | null
  /** The rules that held the comment or turned it down. */
  readonly rules: readonly { readonly rule: string; readonly says: string }[]
  /** Null if the author deleted the comment. */
  readonly decidedAt: Instant | null
  readonly appeal: OwnAppeal | null
  readonly mayAppeal: boolean
}

/**
 * The sentences that explain rules to authors. A sentence says what a rule looks at, and never what it
 * found: no words, no numbers, nothing about other people.
 */
const RULE_SENTENCES: Record<keyof Policy['rules'] | 'moderation_mode' | 'ban', string> = {
  moderation_mode: 'A moderator reads every comment here before it is published.',
  ban: 'A moderator reads every comment of this author before it is published.',
  role: 'The author has a role whose comments the site reads.',
  first_comments: 'A moderator reads the first comments of each author before they are published.',
  rejections: 'Several recent comments of the author were turned down.',
  words: 'The comment contains words that this site holds or does not allow.',
  links: 'The comment has more links than this site allows.',
  links_of_new: 'The comment has a link, and the author is new here.',
  link_domains: 'The comment has a link that this site does not allow.',
  repeats: 'The same text, or nearly the same, was posted before.',
  thread_flood: 'The thread received too many comments in a short time.',
  network_flood: 'One network sent too many comments in a short time.',
  site_flood: 'The site received too many comments in a short time.',
  length: 'The comment is too short or too long.',
  shouting: 'The comment is mostly in capitals, or repeats a character many times.',
  disposable_email: 'This site does not accept disposable e-mail addresses.',
  old_threads: 'The thread is old.',
  checks: 'A spam check of this site objected to the comment, or did not respond.',
}
const OTHER_RULE = 'A rule of this site.'

/** An author can appeal against a held comment after a day: a moderator usually decides before. */
const HELD_BEFORE_APPEAL_MS = 86_400_000

/**
 * Builds the statement of reasons. It shows both pending and spam as held unless a moderator decided, and
 * never shows that a comment is shadowed.
 */
export const buildStatement = (comment: StatementSource): Statement => {
  const decidedBy = deciderOf(comment)
  const standing = standingOf(comment, decidedBy)
  const isPublished = standing === 'published'
  const statement = {
    standing,
    decidedBy,
    reason: isPublished ? null : (comment.decision?.reason ?? null),
    rules: isPublished || decidedBy !== 'rules' ? [] : ruleSentencesOf(comment.trace ?? []),
    decidedAt: decidedBy === 'author' ? null : timeOf(comment, standing),
    appeal: comment.appeal,
  }
  return { ...statement, mayAppeal: !comment.isRedacted && mayAppeal(statement, comment.readAt) }
}

const isAutomatic = ({ by }: DecisiveDecision): boolean => AUTOMATIC.includes(by)

const deciderOf = ({ authorId, status, decision }: StatementSource): Decider => {
  if (!decision) return status === 'deleted' ? 'author' : 'rules'
  // A moderator who deletes their own comment leaves a decision.
  if (status === 'deleted' && decision.by === storedId('author', authorId)) return 'author'
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

/** The time of an automatic decision on a held comment stays hidden: it would reveal that decision. */
const timeOf = (
  { decision, editedAt, createdAt }: StatementSource,
  standing: StatementStatus,
): Instant => {
  const isShown =
    decision && !(standing === 'held' && isAutomatic(decision) && decision.from === 'pending')
  return isShown ? decision.at : (editedAt ?? createdAt)
}

const mayAppeal = (
  { standing, decidedBy, decidedAt, appeal }: Omit<Statement, 'mayAppeal'>,
  readAt: Instant,
): boolean => {
  if (standing === 'published' || decidedBy === 'author') return false
  if (appeal && !isOver(appeal, decidedAt)) return false
  if (standing === 'removed' || decidedBy === 'moderator') return true
  // A clock that was set back leaves decisions ahead of now: one that is further ahead has been held long enough.
  return Math.abs(Date.parse(readAt) - Date.parse(decidedAt!)) >= HELD_BEFORE_APPEAL_MS
}

/** Whether the comment was turned down again after its appeal was overturned. */
const isOver = ({ outcome, answeredAt }: OwnAppeal, decidedAt: Instant | null): boolean =>
  outcome === 'overturned' && decidedAt !== null && decidedAt > answeredAt!

/** Each rule once; all external checks are one. A shadow ban never shows. */
const ruleSentencesOf = (trace: readonly Finding[]): Statement['rules'] => {
  const isShown = ({ rule, says, counts = true }: Finding): boolean =>
    counts && says !== 'approved' && !(rule === 'ban' && says === 'rejected')
  const names = trace.filter(isShown).map(({ rule }) => rule.replace(/^checks\..*$/s, 'checks'))
  const sentences = new Map(Object.entries(RULE_SENTENCES))
  return [...new Set(names)].map((rule) => ({ rule, says: sentences.get(rule) ?? OTHER_RULE }))
}
