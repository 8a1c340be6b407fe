import { Refusal } from '../../domain/refusal.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { inTransaction } from '../../postgres/connection/transaction.ts'
import { findThreadId } from '../../postgres/threads.ts'
import { announce } from '../announce.ts'
import { answerEachOnce, type Outcomes } from '../answer-once.ts'
import type { World } from '../world.ts'
import type { Post } from './post-comment.ts'
import { publishPosts } from './publish-posts.ts'
import type { WaitingPost } from './waiting-posts.ts'

/** What is known of a transaction, whatever becomes of it. */
type Attempt = {
  /** The threads in which readers will see a difference. */
  readonly changed: Set<number>
  /** All but the commit is done, so nobody knows what a fault means. */
  isWhole: boolean
}

/**
 * Writes posts to one thread in one transaction, and gives each its own answer or refusal. When the
 * transaction fails before its commit, and not because Postgres is away, each is written alone, so
 * that only those fail that are at fault. Never rejects. It ends with the transaction; the answers
 * come after that, when readers can see what was written.
 * @returns why, when Postgres is away
 */
export const writePosts = async (
  world: World,
  posts: readonly WaitingPost[],
): Promise<Refusal | undefined> => {
  const attempt: Attempt = { changed: new Set(), isWhole: false }
  try {
    const outcomes = await writeTogether(world, posts, attempt)
    void tell(world, posts, attempt, (post) => {
      const outcome = outcomes.get(post)!
      if ('answer' in outcome) post.resolve(outcome.answer)
      else post.reject(outcome.refusal)
    })
  } catch (error) {
    const isAway = error instanceof Refusal && error.code === 'unavailable'
    if (!isAway && !attempt.isWhole && posts.length > 1) return writeEach(world, posts)
    void tell(world, posts, attempt, (post) => post.reject(error))
    return isAway ? error : undefined
  }
}

/** Ends a transaction that has nothing to keep, not even a thread that it made. */
class AllRefused extends Error {
  readonly outcomes: Outcomes<Post>

  constructor(outcomes: Outcomes<Post>) {
    super('nothing is written')
    this.outcomes = outcomes
  }
}

const writeTogether = async (
  world: World,
  posts: readonly Post[],
  attempt: Attempt,
): Promise<Outcomes<Post>> => {
  const { changed } = attempt
  try {
    return await inTransaction(world.writes, async (tx) => {
      attempt.isWhole = false
      const outcomes = await answerEachOnce(tx, posts, (fresh) => publishPosts(tx, fresh, changed))
      const all = [...outcomes.values()]
      if (all.every((outcome) => 'refusal' in outcome)) throw new AllRefused(outcomes)
      // Whoever gave the answer first may have ended before telling anybody.
      if (all.some((outcome) => 'isEarlier' in outcome))
        changed.add(await findThread(tx, posts[0]!))
      attempt.isWhole = true
      return outcomes
    })
  } catch (error) {
    if (error instanceof AllRefused) return error.outcomes
    throw error
  }
}

const findThread = async (tx: Tx, { site, articleId }: Post): Promise<number> =>
  (await findThreadId(tx, site.id, articleId))!

const writeEach = async (
  world: World,
  posts: readonly WaitingPost[],
): Promise<Refusal | undefined> => {
  for (const [n, post] of posts.entries()) {
    const fault = await writePosts(world, [post])
    if (!fault) continue
    for (const rest of posts.slice(n + 1)) rest.reject(fault)
    return fault
  }
}

/** Also when nobody knows whether there was a commit. */
const tell = async (
  world: World,
  posts: readonly WaitingPost[],
  { changed }: Attempt,
  settle: (post: WaitingPost) => void,
): Promise<void> => {
  if (changed.size > 0)
    await announce(world, { siteId: posts[0]!.site.id, threadIds: [...changed] })
  posts.forEach(settle)
}
