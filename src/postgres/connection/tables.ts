import type { ColumnType, Generated, GeneratedAlways } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
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
