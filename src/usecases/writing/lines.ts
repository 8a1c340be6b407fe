import { Refusal } from '../../domain/refusal.ts'
import type { World } from '../world.ts'
import type { Post } from './post-comment.ts'
import { writePosts } from './write-posts.ts'

/** More would only make the first of them wait for the last. */
const MAX_POSTS = 64

/** A transaction takes up to 2.8 s when Postgres does not answer, and a caller has its answer after 3 s. */
const PATIENCE_MS = 200

/** A post that waits to be written, and whom to tell. */
export type WaitingPost = Post & {
  /** `performance.now()` when it came. */
  readonly since: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/** The posts of one thread: those in the transaction under way, and those for the next one. */
type Line = { underWay: readonly WaitingPost[]; readonly waiting: WaitingPost[] }

/** The lines of this node, by thread. A thread that nobody posts to at this moment has none. */
export type WaitingPosts = Map<string, Line>

export const createWaitingPosts = (): WaitingPosts => new Map()

/**
 * Writes a post at once when no other of its thread is being written; else with all that wait for
 * the next transaction by then.
 * @returns its answer
 */
export const addPost = (world: World, post: Post): Promise<unknown> => {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const waiting = { ...post, since: performance.now(), resolve, reject }
  const thread = JSON.stringify([post.site.id, post.articleId])
  const line = world.posts.get(thread)
  if (line) join(line, waiting)
  else void work(world, thread, { underWay: [], waiting: [waiting] })
  return promise
}

/** A key that is being written is taken; those that wait together are told apart by what they say. */
const join = (line: Line, post: WaitingPost): void => {
  const { claim } = post
  const isTaken = claim && line.underWay.some((other) => other.claim?.claim.equals(claim.claim))
  if (isTaken) post.reject(new Refusal('idempotency_in_flight'))
  else line.waiting.push(post)
}

const work = async (world: World, thread: string, line: Line): Promise<void> => {
  world.posts.set(thread, line)
  while (line.waiting.length > 0) {
    line.underWay = line.waiting.splice(0, MAX_POSTS)
    const fault = await writePosts(world, line.underWay)
    if (fault) giveUp(line, fault)
  }
  world.posts.delete(thread)
}

/** Postgres is away: who has waited long has no time for another attempt. */
const giveUp = ({ waiting }: Line, fault: unknown): void => {
  const latest = performance.now() - PATIENCE_MS
  while (waiting[0] && waiting[0].since < latest) waiting.shift()!.reject(fault)
}
