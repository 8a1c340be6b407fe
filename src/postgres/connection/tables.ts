import type { ColumnType, Generated, GeneratedAlways } from 'kysely'
import type { Role, ThreadState } from '../../domain/comment/comment.ts'
import type { Sort } from '../../domain/comment/sort.ts'
import type { Reason, Status } from '../../domain/comment/status.ts'
import type { ImportState } from '../../domain/importing/import.ts'
import type { Instant } from '../../domain/instant.ts'
import type { DecisionAction, Outcome } from '../../domain/moderation/decision.ts'
import type { FlagReason } from '../../domain/moderation/flag.ts'
import type { SignOn } from '../../domain/people/sign-on.ts'
import type { AuditAction } from '../../domain/site/audit.ts'
import type { Check } from '../../domain/site/check.ts'
import type { PersonLimits } from '../../domain/site/site.ts'

/** The tables as `migrations/` make them; `test/tables.test.ts` compares the two. */
export type Tables = {
  sites: SitesTable
  authors: AuthorsTable
  threads: ThreadsTable
  comments: CommentsTable
  commentTallies: CommentTalliesTable
  commentAddresses: CommentAddressesTable
  newAppearances: NewAppearancesTable
  appearances: AppearancesTable
  commentRevisions: CommentRevisionsTable
  secrets: SecretsTable
  apiKeys: ApiKeysTable
  decisions: DecisionsTable
  idempotencyKeys: IdempotencyKeysTable
  audit: AuditTable
  votes: VotesTable
  flags: FlagsTable
  policies: PoliciesTable
  arrivals: ArrivalsTable
  batches: BatchesTable
  batchItems: BatchItemsTable
  claims: ClaimsTable
  cannedReasons: CannedReasonsTable
  authorNotes: AuthorNotesTable
  bans: BansTable
  appeals: AppealsTable
  transferCodes: TransferCodesTable
  jobs: JobsTable
  imports: ImportsTable
  importChunks: ImportChunksTable
  importOrigins: ImportOriginsTable
  importedAuthors: ImportedAuthorsTable
  importedComments: ImportedCommentsTable
  importedRecords: ImportedRecordsTable
}

type SitesTable = {
  id: GeneratedAlways<number>
  slug: string
  name: string
  origins: Generated<string[]>
  moderation: Generated<'post' | 'pre'>
  posting: Generated<'anyone' | 'members' | 'nobody'>
  loginUrl: string | null
  editWindowSeconds: Generated<number>
  maxDepth: Generated<number>
  version: Generated<number>
  createdAt: Generated<Instant>
  limits: Generated<PersonLimits>
  sorts: Generated<Sort[]>
  retentionDays: Generated<number>
  flagThreshold: Generated<number>
  signOn: ColumnType<SignOn | null, string | null, string | null>
  policyVersion: Generated<number>
  attackedSince: Instant | null
  attackedUntil: Instant | null
  closeAfterDays: Generated<number>
  slowModeSeconds: Generated<number>
  checks: Generated<readonly Check[]>
  state: Generated<'open' | 'closed'>
  reading: Generated<'anyone' | 'members'>
  voting: Generated<'all' | 'up' | 'off'>
  emailRequired: Generated<boolean>
  minBodyLength: Generated<number>
  maxBodyLength: Generated<number>
  language: string | null
  reservedNames: Generated<readonly string[]>
  articleIds: Generated<'as_sent' | 'canonical'>
  formerSlug: string | null
  formerSlugUntil: Instant | null
  deletedAt: Instant | null
}

type AuthorsTable = {
  siteId: number
  id: GeneratedAlways<number>
  kind: Generated<'guest' | 'member'>
  role: Generated<'reader' | 'contributor' | 'moderator' | 'owner'>
  name: string
  url: string | null
  avatarUrl: string | null
  email: string | null
  createdAt: Generated<Instant>
  subject: string | null
  signedOnAt: Instant | null
  emailVerified: Generated<boolean>
  tokenRoles: Generated<Role[]>
  grantedRoles: Generated<Role[]>
  tokenRolesIgnored: Generated<boolean>
  suspendedAt: Instant | null
  location: string | null
  listed: Generated<boolean>
  erasedAt: Instant | null
  erasedSubject: Buffer | null
  keyId: number | null
  nameSkeleton: string | null
  reassignedTo: number | null
}

type ThreadsTable = {
  siteId: number
  id: GeneratedAlways<number>
  /** The id, or the hash of a long id, see `threads/article-ids.ts`. */
  articleId: string
  longArticleId: string | null
  /** As staff named the article. */
  title: string | null
  url: string | null
  /** The comment whose author suggested a name of the article. */
  suggestedBy: number | null
  suggestedTitle: string | null
  suggestedUrl: string | null
  state: Generated<'open' | 'closed' | 'locked' | 'hidden'>
  closesAt: Instant | null
  moderation: 'post' | 'pre' | null
  version: Generated<number>
  commentCount: Generated<number>
  rootCount: Generated<number>
  lastCommentAt: Instant | null
  createdAt: Generated<Instant>
  staysOpen: Generated<boolean>
  slowModeSeconds: number | null
  deletedAt: Instant | null
  /** The thread that this id names; null for a thread. */
  aliasOf: number | null
  aliasVia: number | null
  isBare: Generated<boolean>
}

type CommentsTable = {
  siteId: number
  threadId: number
  id: GeneratedAlways<number>
  parentId: Generated<number>
  depth: Generated<number>
  authorId: number
  status: Status
  pinned: Generated<boolean>
  locked: Generated<boolean>
  revision: Generated<number>
  createdAt: Instant
  publishedAt: Instant | null
  editedAt: Instant | null
  body: string
  bodyHtml: string
  renderer: number
  changedXid: Generated<string | null>
  withdrawnAt: Instant | null
  withdrawnFrom: Status | null
  redactedAt: Instant | null
  articleTitle: string | null
  articleUrl: string | null
  screening: ColumnType<unknown, string | null, string | null>
  flagCount: Generated<number>
  policyVersion: number | null
  facts: ColumnType<unknown, string | null, string | null>
  risk: Generated<number>
  shadowed: Generated<boolean>
  homeThreadId: number | null
  parentHomeThreadId: number | null
  packedFacts: string | null
  packedTrace: string | null
}

type CommentTalliesTable = {
  siteId: number
  threadId: number
  commentId: number
  parentId: number
  createdAt: Instant
  isVisible: boolean
  replyCount: Generated<number>
  activeAt: Instant
  upvotes: Generated<number>
  downvotes: Generated<number>
  shown: GeneratedAlways<boolean>
  score: GeneratedAlways<number>
  best: GeneratedAlways<number>
  hot: GeneratedAlways<number>
  controversy: GeneratedAlways<number>
}

type NewAppearancesTable = {
  siteId: number
  id: GeneratedAlways<number>
  threadId: number
  commentId: number
}

type AppearancesTable = {
  siteId: number
  position: number
  threadId: number
  commentId: number
}

type CommentAddressesTable = {
  siteId: number
  writtenAt: Instant
  commentId: number
  network: string
  addressHash: Buffer
  authorId: number | null
}

type CommentRevisionsTable = {
  siteId: number
  commentId: number
  revision: number
  body: string
  bodyHtml: string
  replacedAt: Instant
  replacedBy: string
}

type SecretsTable = { name: string; value: Buffer }

type ApiKeysTable = {
  id: GeneratedAlways<number>
  siteId: number | null
  scope: 'read' | 'moderate' | 'admin'
  name: string
  hash: Buffer
  createdAt: Generated<Instant>
  expiresAt: Instant | null
  revokedAt: Instant | null
  lastUsedAt: Instant | null
  firstId: number | null
}

type DecisionsTable = {
  siteId: number
  id: GeneratedAlways<number>
  threadId: number | null
  commentId: number | null
  fromStatus: Status | null
  toStatus: Status | null
  reason: Reason | null
  note: string | null
  causedBy: number | null
  decidedBy: string
  decidedAt: Instant
  action: Generated<DecisionAction>
  before: ColumnType<unknown, string | null, never>
  after: ColumnType<unknown, string | null, never>
  subject: string | null
  policyVersion: number | null
  batchId: number | null
  undoes: number | null
  authorId: number | null
  heldMs: number | null
}

type IdempotencyKeysTable = {
  siteId: number
  keyHash: Buffer
  bodyHash: Buffer
  answer: ColumnType<unknown, string, string>
  createdAt: Generated<Instant>
}

type AuditTable = {
  id: GeneratedAlways<number>
  siteId: number | null
  action: AuditAction
  subject: string
  doneBy: string
  doneAt: Instant
  before: ColumnType<unknown, string | null, never>
  after: ColumnType<unknown, string | null, never>
}

type VotesTable = {
  siteId: number
  threadId: number
  commentId: number
  authorId: number
  value: -1 | 1
  addressHash: Buffer | null
  votedAt: Instant
}

type FlagsTable = {
  siteId: number
  threadId: number
  commentId: number
  authorId: number
  reason: FlagReason
  note: string | null
  addressHash: Buffer | null
  flaggedAt: Instant
  resolvedAt: Instant | null
  resolvedBy: number | null
}

type PoliciesTable = {
  siteId: number
  version: number
  policy: ColumnType<unknown, string, never>
  note: string | null
  madeBy: string
  madeAt: Instant
}

type ArrivalsTable = {
  siteId: number
  commentId: number
  threadId: number
  authorId: number
  addressHash: Buffer | null
  fingerprint: number
  sketch: number[]
  arrivedAt: Instant
}

type BatchesTable = {
  siteId: number
  id: GeneratedAlways<number>
  kind: 'decide' | 'undo' | 'judge' | 'decide_threads' | 'merge' | 'remap'
  request: ColumnType<unknown, string, never>
  askedBy: string
  askedAt: Instant
  total: number
  done: Generated<number>
  changed: Generated<number>
  outcomes: Generated<unknown>
  afterId: Generated<number>
  endedAt: Instant | null
}

type BatchItemsTable = {
  siteId: number
  batchId: number
  threadId: number
  commentId: number
  place: number
  seen: Status | null
  undoes: number | null
  revision: number | null
  outcome: Outcome | null
  decisionId: number | null
  articleId: string | null
  seenState: ThreadState | null
}

type ClaimsTable = {
  siteId: number
  threadId: number
  commentId: number
  claimedBy: string
  claimedUntil: Instant
}

type CannedReasonsTable = {
  siteId: number
  id: GeneratedAlways<number>
  title: string
  reason: Reason
  note: string
}

type AuthorNotesTable = {
  siteId: number
  id: GeneratedAlways<number>
  authorId: number
  note: string
  notedBy: string
  notedAt: Instant
}

type TransferCodesTable = {
  siteId: number
  authorId: number
  codeHash: Buffer
  expiresAt: Instant
}

type BansTable = {
  id: GeneratedAlways<number>
  siteId: number | null
  kind: 'author' | 'network' | 'email' | 'email_domain'
  authorId: number | null
  network: string | null
  emailHash: Buffer | null
  domain: string | null
  effect: 'block' | 'hold' | 'shadow'
  reason: Reason | null
  note: string | null
  madeBy: string
  madeAt: Instant
  expiresAt: Instant | null
  liftedBy: string | null
  liftedAt: Instant | null
}

type AppealsTable = {
  siteId: number
  id: GeneratedAlways<number>
  threadId: number
  commentId: number
  authorId: number
  text: string
  appealedAt: Instant
  decisionId: number | null
  decidedBy: string | null
  outcome: 'upheld' | 'overturned' | null
  note: string | null
  answeredBy: string | null
  answeredAt: Instant | null
}

type JobsTable = {
  siteId: number
  kind: string
  key: string
  payload: unknown
  version: Generated<number>
  enqueuedAt: Instant
  dueAt: Instant
  attempts: Generated<number>
  done: Generated<number>
  lease: string | null
  leasedUntil: Instant | null
  lastError: string | null
  failedAt: Instant | null
}

type ImportsTable = {
  siteId: number
  id: GeneratedAlways<number>
  state: Generated<ImportState>
  dryRun: boolean
  unapproved: 'keep' | 'skip'
  wantedFormat: string | null
  wantedOrigin: string | null
  byteCount: Generated<number>
  report: ColumnType<unknown, string | null, string | null>
  fault: ColumnType<unknown, string | null, string | null>
  askedBy: string
  askedAt: Instant
  endedAt: Instant | null
}

type ImportChunksTable = { siteId: number; importId: number; place: number; bytes: Buffer }

type ImportOriginsTable = { siteId: number; id: GeneratedAlways<number>; origin: string }

type ImportedAuthorsTable = {
  siteId: number
  originId: number
  sourceId: string
  authorId: number
  profileHash: number
}

type ImportedCommentsTable = {
  siteId: number
  originId: number
  sourceId: string
  importId: number
  homeThreadId: number
  commentId: number
  textHash: number
  status: Status
  upvotes: number
  downvotes: number
  pinned: boolean
}

type ImportedRecordsTable = {
  siteId: number
  originId: number
  kind: string
  sourceId: string
  rowId: number
}
