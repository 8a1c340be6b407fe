import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import { checksJob } from '../../domain/job.ts'
import { checkTimingOf } from '../../domain/screening/check-facts.ts'
import {
  findThreadsAndParents,
  type InsertedPost,
  insertPosts,
} from '../../postgres/comments/insert.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import type { Waiting } from '../../postgres/connection/transaction.ts'
import { enqueueJobs } from '../../postgres/jobs/jobs.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import { ensureSharedThread, findThreadId, tryThreadLocks } from '../../postgres/threads/threads.ts'
import type { StoredGroup, StoreGroup } from '../group-commit.ts'
import { nameGuests } from '../people/name-guests.ts'
import { comparedHashesOf, countFor } from '../policies/count-facts.ts'
import { startFloodHold } from '../policies/flood-hold.ts'
import { withoutEffect } from '../run-once.ts'
import type { Outcomes } from '../write-queue.ts'
import { type JudgedPost, judgePosts, originOf, type Situation } from './judge-posts.ts'
import type { Post, PostEffect } from './post.ts'
import { answerRepeated, splitRepeated } from './repeated-posts.ts'
import { skeletonOfGuest } from './site-rules.ts'
import { lockSlowMode } from './slow-mode.ts'
import { articlesOf, profilesOf, toNewPost, toPosted } from './stored-post.ts'

/** The locked threads of posts, by article id. */
type ThreadIds = ReadonlyMap<string, number>

/** Stores posts to one thread, published or held. It creates the thread and waits for locks. */
export const storePatiently: StoreGroup<Post, PostEffect> = async (tx, fresh, all) => {
  const { site, articleId } = all[0]!
  const threadId =
    fresh.length > 0
      ? await ensureSharedThread(tx, site.id, articleId)
      : await findThreadId(tx, site.id, articleId)
  const threadOf = () => threadId
  if (fresh.length === 0) return { outcomes: new Map(), threadOf, changedThreads: [] }
  const stored = await storePosts(tx, fresh, new Map([[articleId, threadId!]]), 'wait')
  return { ...stored, threadOf }
}

/**
 * Stores posts to threads of one site. A post gets no outcome if its thread is new or in slow mode, or if
 * another transaction has locked its thread, parent, author or text.
 */
export const storeTogether: StoreGroup<Post, PostEffect> = async (tx, fresh, all) => {
  const articleIds = [...new Set(all.map(({ articleId }) => articleId))]
  const found = await tryThreadLocks(tx, all[0]!.site.id, articleIds)
  const ids = new Map(found.map(({ articleId, id }) => [articleId, id]))
  const locked = found.filter(({ isLocked }) => isLocked)
  const threadIds = new Map(locked.map(({ articleId, id }) => [articleId, id]))
  const ready = fresh.filter(({ articleId }) => threadIds.has(articleId))
  const threadOf = ({ articleId }: Post) => ids.get(articleId)
  if (ready.length === 0) return { outcomes: new Map(), threadOf, changedThreads: [] }
  return { ...(await storePosts(tx, ready, threadIds, 'skip')), threadOf }
}

/**
 * Stores posts to locked threads. A refused post leaves nothing behind. Rows are locked in the order that all
 * writers keep: comments, authors, threads, and the site if a flood hold starts.
 */
const storePosts = async (
  tx: Tx,
  all: readonly Post[],
  threadIds: ThreadIds,
  waiting: Waiting,
): Promise<Omit<StoredGroup<Post, PostEffect>, 'threadOf'>> => {
  const { posts, situation } = await loadSituation(tx, all, { threadIds, waiting })
  const { writers, counted } = situation
  const outcomes = await answerRepeated(tx, posts, situation)
  const { firsts, repeats } = splitRepeated(posts.filter((post) => !outcomes.has(post)))
  const { judged, refused, floodHoldUntil } = judgePosts(firsts, situation)
  for (const [post, refusal] of refused) outcomes.set(post, { refusal })
  if (judged.length === 0) return { outcomes: withRepeats(outcomes, repeats), changedThreads: [] }

  const { site } = judged[0]!.post
  const published = judged.filter(({ judgement }) => isVisible(judgement.verdict))
  await nameGuests(tx, site.id, { writers, profiles: profilesOf(published) })
  const rows = await insertPosts(
    tx,
    { siteId: site.id, renderer: RENDERER_VERSION, threads: articlesOf(judged) },
    judged.map(toNewPost),
  )
  await enqueueChecks(tx, site.id, judged, rows)
  const startsFloodHold =
    floodHoldUntil !== undefined &&
    (await startFloodHold(tx, { site, at: counted.at, until: floodHoldUntil }))
  for (const [i, one] of judged.entries()) {
    const posted = toPosted(one, rows[i]!)
    const effect = {
      posted,
      floodHoldUntil: startsFloodHold && i === 0 ? floodHoldUntil : undefined,
    }
    outcomes.set(one.post, { response: one.post.present(posted), effect })
  }
  // A shadowed post invalidates the thread too, so that its response takes as long.
  const shown = judged.filter((one) => one.isShownToAuthor)
  return {
    outcomes: withRepeats(outcomes, repeats),
    changedThreads: [...new Set(shown.map(({ thread }) => thread.id))],
  }
}

/** Another node asks the checks if this one stops. */
const enqueueChecks = (
  tx: Tx,
  siteId: number,
  judged: readonly JudgedPost[],
  rows: readonly InsertedPost[],
): Promise<void> =>
  enqueueJobs(
    tx,
    judged.flatMap(({ judgement, facts, thread }, i) =>
      checkTimingOf(judgement.trace, facts) === 'never'
        ? []
        : [checksJob(siteId, { threadId: thread.id, id: rows[i]!.id }, true)],
    ),
  )

/** Gives each post that repeats another one of its transaction the response of the other. */
const withRepeats = (
  outcomes: Outcomes<Post, PostEffect>,
  repeats: ReadonlyMap<Post, Post>,
): Outcomes<Post, PostEffect> => {
  const all = new Map(outcomes)
  for (const [post, first] of repeats) all.set(post, withoutEffect(outcomes.get(first)!))
  return all
}

type Locks = { readonly threadIds: ThreadIds; readonly waiting: Waiting }

/**
 * Locks and reads what judging depends on. The locks on the threads come first: what is read after them stays
 * true until the transaction ends.
 * @returns without the posts that would have to wait
 */
const loadSituation = async (
  tx: Tx,
  all: readonly Post[],
  locks: Locks,
): Promise<{ posts: readonly Post[]; situation: Situation }> => {
  const siteId = all[0]!.site.id
  const { posts, ...locked } = await lockWhatPostsNeed(tx, all, locks)
  const { threads, writers } = locked
  const nameSkeletons = posts.flatMap((post) => skeletonOfGuest(post, writers) ?? [])
  const threadIds = [...threads.values()].map(({ id }) => id)
  const counted = await countFor(tx, { siteId, threadIds, nameSkeletons }, posts.map(originOf))
  const identities = posts.map(({ writerIdentity }) => writerIdentity)
  const matches = await findBansOn(tx, siteId, identities)
  const bans = new Map(posts.map((post, i) => [post, matches[i]!]))
  return { posts, situation: { siteId, ...locked, counted, bans } }
}

const lockWhatPostsNeed = async (
  tx: Tx,
  all: readonly Post[],
  { threadIds, waiting }: Locks,
): Promise<
  { posts: readonly Post[] } & Pick<Situation, 'threads' | 'parents' | 'writers' | 'waits'>
> => {
  const siteId = all[0]!.site.id
  const replies = all.flatMap(({ articleId, parent }) =>
    parent ? [[parent.id, { threadId: threadIds.get(articleId)!, id: parent.id }] as const] : [],
  )
  const {
    threads: found,
    parents,
    busyTexts,
  } = await findThreadsAndParents(
    tx,
    {
      siteId,
      threadIds: [...new Set(all.map(({ articleId }) => threadIds.get(articleId)!))],
      parents: [...new Map(replies).values()],
      textHashes: all.flatMap(({ hashes }) => comparedHashesOf(hashes)),
    },
    waiting,
  )
  const threads = new Map(found.map((thread) => [thread.articleId, thread]))
  const writerIds = all.flatMap(({ writerId }) => writerId ?? [])
  const writers =
    writerIds.length > 0 ? await lockWriterRows(tx, siteId, writerIds, waiting) : new Map()
  if (waiting === 'wait') {
    const thread = found[0]!
    const waits = await lockSlowMode(tx, siteId, { thread, senders: all })
    return { posts: all, threads, parents, writers, waits }
  }
  const posts = all.filter(({ articleId, parent, writerId, hashes }) => {
    const thread = threads.get(articleId)!
    const isParentLocked = !parent || parents.get(parent.id)?.threadId === thread.id
    const isWriterLocked = writerId === undefined || writers.has(writerId)
    const isTextLocked = !comparedHashesOf(hashes).some((hash) => busyTexts.has(hash))
    return thread.slowModeSeconds === 0 && isParentLocked && isWriterLocked && isTextLocked
  })
  return { posts, threads, parents, writers, waits: new Map() }
}
