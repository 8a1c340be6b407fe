import type { Author, Comment } from '../../domain/comment/comment.ts'
import { isReadable } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { CommentKey, PublicIds } from '../../domain/public-id.ts'

/** Builds comments for responses field by field, so that a field without a name here never leaves. */

/** The author's picture, or a generated one: its path if the address of the service is not known. */
export const avatarOf = (
  ids: PublicIds,
  { id, avatarUrl }: Pick<Author, 'id' | 'avatarUrl'>,
): string => avatarUrl ?? `${ids.service}/v1/avatars/${ids.write('author', id)}.svg`

export const presentAuthor = (ids: PublicIds, author: Author) => ({
  id: ids.write('author', author.id),
  name: author.name,
  url: author.url,
  avatar_url: avatarOf(ids, author),
  role: author.role,
  kind: author.kind,
})

const parentOf = ({ threadId, parentId, parentHomeThreadId }: Comment): CommentKey => ({
  threadId,
  id: parentId,
  homeThreadId: parentHomeThreadId,
})

const presentPlace = (ids: PublicIds, comment: Comment) => ({
  id: ids.writeComment(comment),
  article_id: comment.articleId,
  parent_id: comment.parentId === 0 ? null : ids.writeComment(parentOf(comment)),
  depth: comment.depth,
})

/** A whole comment, for its author, for moderators, and for readers if it is approved. */
export const presentWhole = (ids: PublicIds, comment: Comment) => ({
  ...presentPlace(ids, comment),
  author: presentAuthor(ids, comment.author),
  body: comment.body,
  body_html: comment.bodyHtml,
  status: comment.status,
  revision: comment.revision,
  created_at: comment.createdAt,
  published_at: comment.publishedAt,
  edited_at: comment.editedAt,
  score: comment.score,
  upvotes: comment.upvotes,
  downvotes: comment.downvotes,
  pinned: comment.pinned,
  locked: comment.locked,
  reply_count: comment.replyCount,
})

/** A comment for its author. */
export const presentOwn = (ids: PublicIds, comment: Comment, editableUntil: Instant | null) => ({
  ...presentWhole(ids, comment),
  editable_until: editableUntil,
})

/** The place of a hidden comment in the tree, without its text and author. */
const presentTombstone = (ids: PublicIds, comment: Comment) => ({
  ...presentPlace(ids, comment),
  author: null,
  body: null,
  body_html: null,
  status: 'deleted' as const,
  revision: 1,
  created_at: comment.createdAt,
  published_at: null,
  edited_at: null,
  score: 0,
  upvotes: 0,
  downvotes: 0,
  pinned: false,
  locked: false,
  reply_count: comment.replyCount,
})

/** A shown comment as every reader sees it: whole, or as a tombstone. */
export const presentComment = (ids: PublicIds, comment: Comment) =>
  isReadable(comment) ? presentWhole(ids, comment) : presentTombstone(ids, comment)
