import type { Author } from '../../domain/comment/comment.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import type { BanMatch } from '../../domain/moderation/ban.ts'
import { isAuthor } from '../../domain/people/caller.ts'
import { homeThreadIdOf } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import { initialCheckFacts } from '../../domain/screening/check-facts.ts'
import type { Parent } from '../../postgres/comments/threads-and-parents.ts'
import type { ThreadForWrite } from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import {
  type EarlierPost,
  factsOf,
  type LoadedFacts,
  type PostOrigin,
} from '../policies/count-facts.ts'
import { floodHoldUntil } from '../policies/flood-hold.ts'
import { judgeByPolicy, type PolicyResult } from '../policies/judge-by-policy.ts'
import { isSuggestion, type Post } from './post.ts'
import { assertNameIsFree, skeletonOfGuest } from './site-rules.ts'
import { assertWaited, type Waits } from './slow-mode.ts'

/** Everything that judging posts depends on, read under the locks of their threads. */
export type Situation = {
  readonly siteId: number
  /** By article id. */
  readonly threads: ReadonlyMap<string, ThreadForWrite>
  /** The comments that the posts may reply to, by id. */
  readonly parents: ReadonlyMap<number, Parent>
  /** The guests and members who post with a token, by id. */
  readonly writers: ReadonlyMap<number, Author>
  readonly waits: Waits<Post>
  readonly counted: LoadedFacts
  readonly bans: ReadonlyMap<Post, readonly BanMatch[]>
}

/** The author of a post. A new guest has no id yet. */
export type Writer = Omit<Author, 'id'> & { readonly id: number | undefined }

export type JudgedPost = PolicyResult & {
  readonly post: Post
  readonly thread: ThreadForWrite
  /** 0 for a root comment. */
  readonly parentId: number
  /** The thread that the parent was posted in; null if it is this thread. */
  readonly parentHomeThreadId: number | null
  readonly depth: number
  /** With the name that the comment is shown under. */
  readonly author: Writer
  /** Whether the comment is published, or looks so to its author. */
  readonly isShownToAuthor: boolean
}

export type JudgedPosts = {
  readonly judged: readonly JudgedPost[]
  readonly refused: ReadonlyMap<Post, Refusal>
  /** The end of the flood hold that these posts start or extend. */
  readonly floodHoldUntil: Instant | undefined
}

/**
 * Judges posts as if they came one after the other: a post counts in the facts of the next one, and
 * a guest's published post renames the guest for the next one.
 */
export const judgePosts = (posts: readonly Post[], situation: Situation): JudgedPosts => {
  const writers = new Map(situation.writers)
  const judged: JudgedPost[] = []
  const earlier: EarlierPost[] = []
  const refused = new Map<Post, Refusal>()
  let holdUntil: Instant | undefined
  for (const post of posts) {
    try {
      const one = judge(post, { ...situation, writers, judged, earlier, holdUntil })
      judged.push(one)
      const { thread, judgement } = one
      earlier.push({ ...originOf(post), threadId: thread.id, verdict: judgement.verdict })
      const { id, ...author } = one.author
      if (id !== undefined) writers.set(id, { id, ...author })
      holdUntil = floodHoldUntil(post.policy, one.facts) ?? holdUntil
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused.set(post, error)
    }
  }
  return { judged, refused, floodHoldUntil: holdUntil }
}

/** Returns the origin of a post, by which the facts count it. */
export const originOf = ({ writerId, hashes, addressHash }: Post): PostOrigin => ({
  ...hashes,
  authorId: writerId,
  addressHash,
})

/** The situation after the earlier posts of the transaction. */
type CurrentSituation = Situation & {
  readonly judged: readonly JudgedPost[]
  readonly earlier: readonly EarlierPost[]
  readonly holdUntil: Instant | undefined
}

const judge = (post: Post, situation: CurrentSituation): JudgedPost => {
  const { counted, earlier, waits } = situation
  const thread = situation.threads.get(post.articleId)!
  const writer = findWriter(post, situation.writers)
  const bans = assertNotBlocked(situation.bans.get(post)!)
  const { takenNames } = counted
  const skeleton = skeletonOfGuest(post, situation.writers)
  assertNameIsFree(post.site, skeleton, { takenNames, pointer: '/author/name' })
  assertTakesComments(thread)
  const inThread = situation.judged.filter((one) => one.thread === thread)
  assertWaited(post, thread, { waits, earlier: inThread.map((one) => one.post) })
  const { parentShadows, ...position } = findPosition(post, thread, situation.parents)
  const { author: profile, site, policy } = post
  const renamed = profile ? { ...writer, name: profile.name, url: profile.url } : writer
  const subject = {
    ...originOf(post),
    threadId: thread.id,
    kind: writer.kind,
    role: writer.role,
    email: profile?.email,
    siteModeration: site.moderation,
    threadModeration: thread.moderation,
    attackedUntil: situation.holdUntil ?? counted.attackedUntil,
    bans: [...bans, ...parentShadows],
  }
  const checks = initialCheckFacts(site.checks, policy.policy)
  const facts = { ...factsOf(counted, subject, earlier), checks }
  const draft = {
    rendering: post.rendering,
    authorName: renamed.name,
    authorUrl: renamed.url,
    suggestedTitle: suggestedTitleOf(post, thread),
  }
  const result = judgeByPolicy(policy, { draft, facts, mayBeSeen: true })
  const isShownToAuthor = result.isShadowed || isVisible(result.judgement.verdict)
  return {
    post,
    thread,
    ...position,
    author: isShownToAuthor ? renamed : writer,
    ...result,
    isShownToAuthor,
  }
}

/** The title that readers would see. The title that staff give needs no judgement. */
const suggestedTitleOf = ({ article }: Post, { isUnsuggested }: ThreadForWrite): string | null =>
  isUnsuggested && isSuggestion(article) ? article.title : null

/** A token names its guest or member; a post without a token creates a guest of the given name. */
const findWriter = ({ writerId, author }: Post, writers: ReadonlyMap<number, Author>): Writer => {
  if (writerId !== undefined) {
    const writer = writers.get(writerId)
    if (!writer) throw new Refusal('invalid_token')
    return writer
  }
  if (!author) {
    throw new Refusal('invalid_request', { '/author': 'is required of a guest without a token' })
  }
  const { name, url } = author
  return { id: undefined, kind: 'guest', role: 'reader', name, url, avatarUrl: null }
}

/** Refuses a post if the thread takes no comments. */
export const assertTakesComments = ({ state }: Pick<ThreadForWrite, 'state'>): void => {
  if (state === 'locked') throw new Refusal('thread_locked')
  if (state !== 'open') throw new Refusal('thread_closed')
}

type Position = Pick<JudgedPost, 'parentId' | 'parentHomeThreadId' | 'depth'> & {
  readonly parentShadows: Parent['shadows']
}

/** Refuses with `parent_not_found` also if only the parent's author can see the parent. */
const findPosition = (
  { site, caller, parent }: Post,
  thread: ThreadForWrite,
  parents: ReadonlyMap<number, Parent>,
): Position => {
  if (parent === undefined)
    return { parentId: 0, parentHomeThreadId: null, depth: 0, parentShadows: [] }
  const found = parent && parents.get(parent.id)
  const isSame = found?.threadId === thread.id && homeThreadIdOf(found) === parent?.threadId
  const maySee = found && (found.shadows.length === 0 || isAuthor(caller, { id: found.authorId }))
  if (!isSame || !maySee) throw new Refusal('parent_not_found')
  if (found.locked) throw new Refusal('thread_locked')
  if (found.depth >= site.maxDepth) throw new Refusal('depth_exceeded')
  const { id: parentId, homeThreadId: parentHomeThreadId, depth, shadows: parentShadows } = found
  return { parentId, parentHomeThreadId, depth: depth + 1, parentShadows }
}
