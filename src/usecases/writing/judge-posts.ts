import type { Author } from '../../domain/comment.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Opinion, Verdict } from '../../domain/screening/opinion.ts'
import { screen } from '../../domain/screening/screen.ts'
import { SHIPPED_POLICY } from '../../domain/screening/shipped.ts'
import type { Parent } from '../../postgres/posts.ts'
import type { ThreadForWrite } from '../../postgres/threads.ts'
import { factsKnown } from './facts-known.ts'
import type { Post } from './post-comment.ts'

/** What has to be known of a thread to judge the posts to it. */
export type Facts = {
  readonly siteId: number
  readonly thread: ThreadForWrite
  /** What can be replied to. */
  readonly parents: ReadonlyMap<number, Parent>
  /** Guests and members who have a token. */
  readonly writers: ReadonlyMap<number, Author>
}

/** A guest who is yet to be made has no id. */
export type Writer = Omit<Author, 'id'> & { readonly id: number | undefined }

export type Judged = {
  readonly post: Post
  /** 0 for a root. */
  readonly parentId: number
  readonly depth: number
  /** With the name that the comment is shown under. */
  readonly author: Writer
  readonly verdict: Verdict
  readonly trace: readonly Opinion[]
}

/**
 * Judges posts as if one came after the other: a guest whose comment is published goes by the name
 * that it gave from then on.
 */
export const judgePosts = (
  posts: readonly Post[],
  facts: Facts,
): { judged: readonly Judged[]; refused: ReadonlyMap<Post, Refusal> } => {
  const writers = new Map(facts.writers)
  const judged: Judged[] = []
  const refused = new Map<Post, Refusal>()
  for (const post of posts) {
    try {
      const one = judge(post, { ...facts, writers })
      judged.push(one)
      const { id, ...author } = one.author
      if (id !== undefined) writers.set(id, { id, ...author })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused.set(post, error)
    }
  }
  return { judged, refused }
}

const judge = (post: Post, { thread, parents, writers }: Facts): Judged => {
  const author = findWriter(post, writers)
  assertTakesComments(thread)
  const place = findPlace(post, thread, parents)
  const named = { ...author, ...(post.author && { name: post.author.name, url: post.author.url }) }
  const { verdict, trace } = screen(
    { body: post.body, authorName: named.name, authorUrl: named.url },
    factsKnown({ siteModeration: post.site.moderation, threadModeration: thread.moderation }),
    SHIPPED_POLICY,
  )
  return { post, ...place, author: verdict === 'approved' ? named : author, verdict, trace }
}

/** A token speaks for its guest; without one, the name given makes a new guest. */
const findWriter = ({ caller, author }: Post, writers: ReadonlyMap<number, Author>): Writer => {
  if ('authorId' in caller) {
    const known = writers.get(caller.authorId)
    if (!known) throw new Refusal('invalid_token')
    return known
  }
  if (!author) {
    throw new Refusal('invalid_request', { '/author': 'is required of a guest without a token' })
  }
  const { name, url } = author
  return { id: undefined, kind: 'guest', role: 'reader', name, url, avatarUrl: null }
}

/** Refuses when nobody may post to the thread. */
export const assertTakesComments = ({ state }: Pick<ThreadForWrite, 'state'>): void => {
  if (state === 'locked') throw new Refusal('thread_locked')
  if (state !== 'open') throw new Refusal('thread_closed')
}

const findPlace = (
  { site, parent }: Post,
  thread: ThreadForWrite,
  parents: ReadonlyMap<number, Parent>,
): { parentId: number; depth: number } => {
  if (parent === undefined) return { parentId: 0, depth: 0 }
  if (parent?.threadId !== thread.id) throw new Refusal('parent_not_found')
  const found = parents.get(parent.id)
  if (!found) throw new Refusal('parent_not_found')
  if (found.locked) throw new Refusal('thread_locked')
  if (found.depth >= site.maxDepth) throw new Refusal('depth_exceeded')
  return { parentId: found.id, depth: found.depth + 1 }
}
