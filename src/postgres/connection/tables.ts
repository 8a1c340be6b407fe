import type { ColumnType, Generated, GeneratedAlways } from 'kysely'
import type { AuditAction } from '../../domain/audit.ts'
import type { Role } from '../../domain/comment.ts'
import type { FlagReason } from '../../domain/flag.ts'
import type { Instant } from '../../domain/instant.ts'
import type { SignOn } from '../../domain/sign-on.ts'
import type { PersonLimits } from '../../domain/site.ts'
import type { Sort } from '../../domain/sort.ts'
import type { Reason, Status } from '../../domain/status.ts'

/** The tables as `migrations/` make them; `test/tables.test.ts` compares the two. */
export type Tables = {
  sites: SitesTable
  authors: AuthorsTable
  threads: ThreadsTable
  comments: CommentsTable
  commentRevisions: CommentRevisionsTable
  secrets: SecretsTable
  apiKeys: ApiKeysTable
  decisions: DecisionsTable
  idempotencyKeys: IdempotencyKeysTable
  audit: AuditTable
  authorTasks: AuthorTasksTable
  votes: VotesTable
  flags: FlagsTable
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
  location: string | null
  listed: Generated<boolean>
  erasedAt: Instant | null
  erasedSubject: Buffer | null
}

type ThreadsTable = {
  siteId: number
  id: GeneratedAlways<number>
  articleId: string
  title: string | null
  url: string | null
  state: Generated<'open' | 'closed' | 'locked' | 'hidden'>
  closesAt: Instant | null
  moderation: 'post' | 'pre' | null
  version: Generated<number>
  commentCount: Generated<number>
  rootCount: Generated<number>
  lastCommentAt: Instant | null
  createdAt: Generated<Instant>
}

type CommentsTable = {
  siteId: number
  threadId: number
  id: GeneratedAlways<number>
  parentId: Generated<number>
  depth: Generated<number>
  authorId: number
  status: Status
  replyCount: Generated<number>
  upvotes: Generated<number>
  downvotes: Generated<number>
  pinned: Generated<boolean>
  locked: Generated<boolean>
  revision: Generated<number>
  createdAt: Instant
  publishedAt: Instant | null
  editedAt: Instant | null
  activeAt: Instant
  shown: GeneratedAlways<boolean>
  score: GeneratedAlways<number>
  best: GeneratedAlways<number>
  hot: GeneratedAlways<number>
  controversy: GeneratedAlways<number>
  body: string
  bodyHtml: string
  renderer: number
  articleTitle: string | null
  articleUrl: string | null
  screening: ColumnType<unknown, string | null, string | null>
  network: string | null
  addressHash: Buffer | null
  flagCount: Generated<number>
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
}

type DecisionsTable = {
  siteId: number
  id: GeneratedAlways<number>
  threadId: number
  commentId: number
  fromStatus: Status
  toStatus: Status
  reason: Reason | null
  note: string | null
  causedBy: number | null
  decidedBy: string
  decidedAt: Instant
}

type IdempotencyKeysTable = {
  siteId: number
  claim: Buffer
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

type AuthorTasksTable = {
  siteId: number
  authorId: number
  kind: 'refresh' | 'erase'
  askedAt: Instant
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
}
