import type { Author } from '../../domain/comment/comment.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { BanMatch } from '../../domain/moderation/ban.ts'
import { isAuthor } from '../../domain/people/caller.ts'
import { homeThreadIdOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { initialCheckFacts } from '../../domain/site/check.ts'
import type { Parent } from '../../postgres/comments/insert.ts'
import type { ThreadForWrite } from '../../postgres/threads/threads.ts'
import { assertNotBlocked, judgeByPolicy, type PolicyResult } from '../bans/ban-effects.ts'
import {
  type EarlierPost,
  factsOf,
  type LoadedFacts,
  type PostOrigin,
} from '../policies/count-facts.ts'
import { floodHoldUntil } from '../policies/start-flood-hold.ts'
import type { Post } from './post-comment.ts'
import { assertWaited, type Waits } from './slow-mode.ts'

/** What has to be known of a thread to judge the posts to it. */
export type Situation = {
  readonly siteId: number
  readonly thread: ThreadForWrite
  /** What can be replied to. */
  readonly parents: ReadonlyMap<number, Parent>
  /** Guests and members who have a token. */
  readonly writers: ReadonlyMap<number, Author>
  readonly waits: Waits<Post>
  readonly known: LoadedFacts
  /** Those in force that meet the writers. */
  readonly bans: ReadonlyMap<Post, readonly BanMatch[]>
}

/** A guest who is yet to be made has no id. */
export type Writer = Omit<Author, 'id'> & { readonly id: number | undefined }

export type JudgedPost = {
  readonly post: Post
  /** 0 for a root. */
  readonly parentId: number
  /** Where the parent was written, if that is another thread. */
  readonly parentHomeThreadId: number | null
  readonly depth: number
  /** With the name that the comment is shown under. */
  readonly author: Writer
} & PolicyResult

/**
 * Judges posts as if one came after the other: a guest whose comment is published goes by the name
 * that it gave from then on, and each counts for those after it.
 * @returns `attackedUntil`: until when the site is to be held from now on, if that is new
 */
export const judgePosts = (
  posts: readonly Post[],
  situation: Situation,
): {
  judged: readonly JudgedPost[]
  refused: ReadonlyMap<Post, Refusal>
  attackedUntil: Instant | undefined
} => {
  const writers = new Map(situation.writers)
  const judged: JudgedPost[] = []
  const earlier: EarlierPost[] = []
  const refused = new Map<Post, Refusal>()
  let attackedUntil: Instant | undefined
  for (const post of posts) {
    try {
      const before = { earlier, posted: judged.map((one) => one.post) }
      const one = judge(post, { ...situation, writers, ...before, attackedUntil })
      judged.push(one)
      earlier.push({ ...sourceOf(post), verdict: one.judgement.verdict })
      const { id, ...author } = one.author
      if (id !== undefined) writers.set(id, { id, ...author })
      attackedUntil = floodHoldUntil(post.policy, one.facts) ?? attackedUntil
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused.set(post, error)
    }
  }
  return { judged, refused, attackedUntil }
}

/** What posts are compared and counted by. */
export const sourceOf = ({ caller, print, addressHash }: Post): PostOrigin => ({
  ...print,
  authorId: 'authorId' in caller ? caller.authorId : undefined,
  addressHash,
})

type Moment = Situation & {
  readonly posted: readonly Post[]
  readonly earlier: readonly EarlierPost[]
  readonly attackedUntil: Instant | undefined
}

const judge = (post: Post, moment: Moment): JudgedPost => {
  const { thread, parents, writers, known, earlier } = moment
  const author = findWriter(post, writers)
  const met = assertNotBlocked(moment.bans.get(post)!)
  assertTakesComments(thread)
  assertWaited(post, thread, { waits: moment.waits, earlier: moment.posted })
  const { shadows, ...place } = findPlace(post, thread, parents)
  const named = { ...author, ...(post.author && { name: post.author.name, url: post.author.url }) }
  const subject = {
    ...sourceOf(post),
    kind: author.kind,
    role: author.role,
    email: post.author?.email,
    siteModeration: post.site.moderation,
    threadModeration: thread.moderation,
    attackedUntil: moment.attackedUntil ?? known.attackedUntil,
    bans: [...met, ...shadows],
  }
  const checks = initialCheckFacts(post.site.checks, post.policy.policy)
  const facts = { ...factsOf(known, subject, earlier), checks }
  const draft = { body: post.body, authorName: named.name, authorUrl: named.url }
  const judged = judgeByPolicy(post.policy, { draft, facts, isSeen: true })
  const isSeen = judged.isShadowed || isVisible(judged.judgement.verdict)
  return { post, ...place, author: isSeen ? named : author, ...judged }
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
  { site, caller, parent }: Post,
  thread: ThreadForWrite,
  parents: ReadonlyMap<number, Parent>,
): Pick<JudgedPost, 'parentId' | 'parentHomeThreadId' | 'depth'> & Pick<Parent, 'shadows'> => {
  if (parent === undefined) return { parentId: 0, parentHomeThreadId: null, depth: 0, shadows: [] }
  const found = parent && parents.get(parent.id)
  const isMeant = found && homeThreadIdOf({ ...found, threadId: thread.id }) === parent.threadId
  const isSeen = found && (found.shadows.length === 0 || isAuthor(caller, { id: found.authorId }))
  if (!isMeant || !isSeen) throw new Refusal('parent_not_found')
  if (found.locked) throw new Refusal('thread_locked')
  if (found.depth >= site.maxDepth) throw new Refusal('depth_exceeded')
  const { id: parentId, homeThreadId: parentHomeThreadId, shadows } = found
  return { parentId, parentHomeThreadId, depth: found.depth + 1, shadows }
}
