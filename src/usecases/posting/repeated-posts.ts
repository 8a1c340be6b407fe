import { isDeepStrictEqual } from 'node:util'
import { shadowVersion } from '../../domain/comment/shadow-view.ts'
import { isVisible } from '../../domain/comment/status.ts'
import { type CommentForWrite, findCommentForWrite } from '../../postgres/comments/comments.ts'
import { findRepeated } from '../../postgres/comments/repeated.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import type { Outcome } from '../write-queue.ts'
import type { Situation } from './judge-posts.ts'
import type { Post, PostEffect, Posted } from './post.ts'

/**
 * Answers each post that repeats a comment of the last seconds with that comment: a double click sends the same
 * text by the same writer to the same place. A post with an Idempotency-Key says itself what it repeats.
 */
export const answerRepeated = async (
  tx: Tx,
  posts: readonly Post[],
  { siteId, threads, counted }: Situation,
): Promise<Map<Post, Outcome<PostEffect>>> => {
  const suspects = posts.filter(
    (post) => mayRepeat(post) && counted.same.get(post.hashes.fingerprint)! > 0,
  )
  const answers = new Map<Post, Outcome<PostEffect>>()
  if (suspects.length === 0) return answers
  const threadIdOf = ({ articleId }: Post) => threads.get(articleId)!.id
  const repeated = await findRepeated(
    tx,
    siteId,
    suspects.map((post) => ({ ...toRepeatable(post), threadId: threadIdOf(post) })),
  )
  for (const [i, post] of suspects.entries()) {
    const found = repeated[i]
    const at = { siteId, threadId: threadIdOf(post) }
    const comment = found && (await findCommentForWrite(tx, { ...at, id: found.id }))
    if (comment)
      answers.set(post, {
        response: post.present(toPosted(post, comment, found.version)),
        isEarlier: true,
      })
  }
  return answers
}

/** Splits posts of one transaction into the first of each text and the ones that repeat it. */
export const splitRepeated = (
  posts: readonly Post[],
): { firsts: readonly Post[]; repeats: ReadonlyMap<Post, Post> } => {
  const firsts: Post[] = []
  const repeats = new Map<Post, Post>()
  for (const post of posts) {
    const first = mayRepeat(post) ? firsts.find((other) => isSame(other, post)) : undefined
    if (first) repeats.set(post, first)
    else firsts.push(post)
  }
  return { firsts, repeats }
}

/** New guests without a known network are strangers, whatever profile they give. */
const mayRepeat = ({ idempotencyKey, parent, writerId, addressHash }: Post): boolean =>
  idempotencyKey === undefined && parent !== null && (writerId ?? addressHash) !== null

const isSame = (one: Post, other: Post): boolean =>
  one.hashes.fingerprint === other.hashes.fingerprint &&
  one.articleId === other.articleId &&
  mayRepeat(one) &&
  isDeepStrictEqual(toRepeatable(one), toRepeatable(other))

/** A new guest is recognised by the whole profile and the network, an existing author by the id. */
const toRepeatable = ({ parent, writerId, author, addressHash, body, hashes }: Post) => ({
  parentId: parent?.id ?? 0,
  authorId: writerId ?? null,
  guest: writerId === undefined && author ? { ...author, addressHash } : null,
  body,
  fingerprint: hashes.fingerprint,
})

/** The comment as its author may see it. A new guest, whose first response may be lost, gets the token again. */
const toPosted = ({ writerId }: Post, comment: CommentForWrite, threadVersion: number): Posted => {
  const isShadowed = comment.shadows.length > 0
  const isShownToAuthor = isShadowed || isVisible(comment.status)
  const version = isShadowed ? shadowVersion(comment.createdAt, comment.id) : threadVersion
  return {
    comment: {
      ...comment,
      status: isShownToAuthor ? 'approved' : 'pending',
      publishedAt: isShownToAuthor ? comment.createdAt : null,
    },
    version: isShownToAuthor ? version : undefined,
    newGuestId: writerId === undefined ? comment.author.id : undefined,
    checking: 'never',
  }
}
