import { RENDERER_VERSION } from '../../domain/comment/markdown.ts'
import { isVisible } from '../../domain/comment/status.ts'
import type { Instant } from '../../domain/instant.ts'
import { checksJob } from '../../domain/job.ts'
import { Refusal } from '../../domain/refusal.ts'
import { checkTimingOf } from '../../domain/screening/check-facts.ts'
import { type InsertedPost, insertPosts } from '../../postgres/comments/insert.ts'
import {
  FIND_THREADS_AND_PARENTS,
  toThreadsAndParents,
} from '../../postgres/comments/threads-and-parents.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { type RowsOf, type Send, sendTogether } from '../../postgres/connection/pipeline.ts'
import type { Waiting } from '../../postgres/connection/transaction.ts'
import { enqueueJobs } from '../../postgres/jobs/jobs.ts'
import { askBansOn, toMatches } from '../../postgres/moderation/bans.ts'
import { LOCK_WRITER_ROWS } from '../../postgres/people/authors.ts'
import { findTakenNames } from '../../postgres/people/members.ts'
import { askFacts } from '../../postgres/screening/recent-posts.ts'
import {
  ensureSharedThread,
  findThreadId,
  TRY_THREAD_LOCKS,
} from '../../postgres/threads/threads.ts'
import type { DecidedGroup, DecideGroup } from '../group-commit.ts'
import { nameGuests } from '../people/name-guests.ts'
import { askFor, comparedHashesOf } from '../policies/count-facts.ts'
import { startFloodHold } from '../policies/flood-hold.ts'
import { askForResponses, recallResponses, withoutEffect } from '../run-once.ts'
import type { Outcome, Outcomes } from '../write-queue.ts'
import { type JudgedPost, judgePosts, originOf, type Situation } from './judge-posts.ts'
import type { Post, PostEffect } from './post.ts'
import { answerRepeated, splitRepeated } from './repeated-posts.ts'
import { skeletonOfGuest } from './site-rules.ts'
import { lockSlowMode } from './slow-mode.ts'
import { postedThreadsOf, profilesOf, toNewPost, toPosted } from './stored-post.ts'

/** Decides on posts to one thread. It creates the thread and waits for locks. */
export const decidePatiently: DecideGroup<Post, PostEffect> = async (tx, all) => {
  const recalled = await recallResponses<Post, PostEffect>(tx, all)
  const { fresh } = recalled
  const { site, articleId } = all[0]!
  if (fresh.length === 0) {
    const threadId = await findThreadId(tx, site.id, articleId)
    return { recalled, threadOf: () => threadId, outcomes: new Map(), changedThreads: [] }
  }
  const { thread, read } = await readLockedThread(tx, fresh)
  const known = { recalled, threadOf: () => thread.id }
  const waits = await lockSlowMode(tx, site.id, { thread, senders: fresh })
  return { ...known, ...(await decidePosts(tx, fresh, { ...read, waits })) }
}

const MAX_ATTEMPTS = 5

/** Locks and reads the thread of posts. While it waits, the article can become an alias of another thread. */
const readLockedThread = async (tx: Tx, posts: readonly Post[]) => {
  const { site, articleId } = posts[0]!
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    const threadId = await ensureSharedThread(tx, site.id, articleId)
    const { queries, toSituation } = askForSituation(posts, 'wait', threadId)
    const { busyTexts: _, ...read } = toSituation(await sendTogether(tx, queries))
    const thread = read.threads.get(articleId)
    if (thread?.id === threadId) return { thread, read }
  }
  throw new Refusal('unavailable')
}

/**
 * Decides on posts to threads of one site, after one round trip to Postgres. A post gets no outcome if its thread is
 * new or in slow mode, or if another transaction has locked its thread, parent, author or text.
 */
export const decideTogether: DecideGroup<Post, PostEffect> = async (tx, all) => {
  const siteId = all[0]!.site.id
  const articleIds = [...new Set(all.map(({ articleId }) => articleId))]
  const responses = askForResponses<Post, PostEffect>(all)
  const situation = askForSituation(all, 'skip')
  const [found, keys, answers, ...rows] = await sendTogether(tx, [
    TRY_THREAD_LOCKS({ siteId, articleIds }),
    ...responses.queries,
    ...situation.queries,
  ])
  const recalled = responses.toRecalled([keys, answers])
  const { busyTexts, ...read } = situation.toSituation(rows)
  const ids = new Map(found.map(({ articleId, id }) => [articleId, id]))
  const locked = new Set(found.flatMap(({ id, isLocked }) => (isLocked ? [id] : [])))
  const ready = recalled.fresh.filter(({ articleId, parent, writerId, hashes }) => {
    const thread = read.threads.get(articleId)
    if (!thread || !locked.has(thread.id) || thread.slowModeSeconds > 0) return false
    const isParentLocked = !parent || read.parents.get(parent.id)?.threadId === thread.id
    const isWriterLocked = writerId === undefined || read.writers.has(writerId)
    const isTextLocked = !comparedHashesOf(hashes).some((hash) => busyTexts.has(hash))
    return isParentLocked && isWriterLocked && isTextLocked
  })
  const known = { recalled, threadOf: ({ articleId }: Post) => ids.get(articleId) }
  if (ready.length === 0) return { ...known, outcomes: new Map(), changedThreads: [] }
  return { ...known, ...(await decidePosts(tx, ready, { ...read, waits: new Map() })) }
}

/**
 * Judges posts to locked threads. A refused post leaves nothing behind. Rows are locked in the order that all
 * writers keep: comments, authors, threads, and the site if a flood hold starts.
 */
const decidePosts = async (
  tx: Tx,
  posts: readonly Post[],
  read: Situation,
): Promise<Pick<DecidedGroup<Post, PostEffect>, 'outcomes' | 'store' | 'changedThreads'>> => {
  const situation = await withNamesOfGuests(tx, posts, read)
  const outcomes = await answerRepeated(tx, posts, situation)
  const { firsts, repeats } = splitRepeated(posts.filter((post) => !outcomes.has(post)))
  const { judged, refused, floodHoldUntil } = judgePosts(firsts, situation)
  for (const [post, refusal] of refused) outcomes.set(post, { refusal })
  // A shadowed post invalidates the thread too, so that its response takes as long.
  const shown = judged.filter((one) => one.isShownToAuthor)
  const store = async (send: Send): Promise<Outcomes<Post, PostEffect>> => {
    const stored = await storeJudged(tx, judged, { ...situation, floodHoldUntil, send })
    return withRepeats(new Map([...outcomes, ...stored]), repeats)
  }
  return {
    outcomes: judged.length > 0 ? outcomes : withRepeats(outcomes, repeats),
    store: judged.length > 0 ? store : undefined,
    changedThreads: [...new Set(shown.map(({ thread }) => thread.id))],
  }
}

type Storing = Pick<Situation, 'writers' | 'counted'> & {
  readonly floodHoldUntil: Instant | undefined
  readonly send: Send
}

/** Stores judged posts. Statements that need the ids of the comments are sent after the insert. */
const storeJudged = async (
  tx: Tx,
  judged: readonly JudgedPost[],
  { writers, counted, floodHoldUntil, send }: Storing,
): Promise<Map<Post, Outcome<PostEffect>>> => {
  const { site } = judged[0]!.post
  const published = judged.filter(({ judgement }) => isVisible(judgement.verdict))
  await nameGuests(tx, site.id, { writers, profiles: profilesOf(published) })
  const insert = insertPosts(
    { siteId: site.id, renderer: RENDERER_VERSION, threads: postedThreadsOf(judged) },
    judged.map(toNewPost),
  )
  const isLast =
    floodHoldUntil === undefined &&
    judged.every(({ judgement, facts }) => checkTimingOf(judgement.trace, facts) === 'never')
  const [rows] = isLast ? await send([insert]) : await sendTogether(tx, [insert])
  if (!isLast) await enqueueChecks(tx, site.id, judged, rows)
  const startsFloodHold =
    floodHoldUntil !== undefined &&
    (await startFloodHold(tx, { site, at: counted.at, until: floodHoldUntil }))
  return new Map(
    judged.map((one, i) => {
      const posted = toPosted(one, rows[i]!)
      const effect = {
        posted,
        floodHoldUntil: startsFloodHold && i === 0 ? floodHoldUntil : undefined,
      }
      return [one.post, { response: one.post.present(posted), effect }]
    }),
  )
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

/**
 * The statements that lock and read what judging depends on, and the situation from their rows. The caller holds the
 * locks on the threads: what is read after them stays true until the transaction ends.
 * @param threadId the thread that the article of all posts names, if it is known
 */
const askForSituation = (posts: readonly Post[], waiting: Waiting, threadId?: number) => {
  const siteId = posts[0]!.site.id
  const articleIds = [...new Set(posts.map(({ articleId }) => articleId))]
  const parents = [
    ...new Map(
      posts.flatMap(({ articleId, parent }) =>
        parent ? [[`${parent.id} ${articleId}`, { articleId, id: parent.id }] as const] : [],
      ),
    ).values(),
  ]
  const writerIds = posts.flatMap(({ writerId }) => writerId ?? [])
  const identities = posts.map(({ writerIdentity }) => writerIdentity)
  const nameSkeletons = posts.flatMap((post) => skeletonOfGuest(post) ?? [])
  const known = threadId === undefined ? { articleIds } : { threadIds: [threadId] }
  const facts = askFor({ siteId, ...known, nameSkeletons }, posts.map(originOf))
  const queries = [
    FIND_THREADS_AND_PARENTS[waiting]({
      siteId,
      articleIds,
      parentArticles: parents.map(({ articleId }) => articleId),
      parentIds: parents.map(({ id }) => id),
      textHashes: posts.flatMap(({ hashes }) => comparedHashesOf(hashes)),
    }),
    writerIds.length > 0 ? LOCK_WRITER_ROWS[waiting]({ siteId, ids: writerIds }) : undefined,
    askFacts(facts.question),
    identities.some(Boolean) ? askBansOn(siteId, identities) : undefined,
  ] as const
  const toSituation = ([found, authors, counted, bans]: RowsOf<typeof queries>) => {
    const { threads, ...rest } = toThreadsAndParents(found)
    const matches = toMatches(identities, bans)
    return {
      siteId,
      ...rest,
      threads: new Map(threads.map((thread) => [thread.askedId, thread])),
      writers: new Map(authors.map((author) => [author.id, author])),
      counted: facts.toFacts(counted[0]!),
      bans: new Map(posts.map((post, i) => [post, matches[i]!])),
    }
  }
  return { queries, toSituation }
}

/** Finds the taken names for guests whose names changed after their token was read. */
const withNamesOfGuests = async (
  tx: Tx,
  posts: readonly Post[],
  situation: Situation,
): Promise<Situation> => {
  const { siteId, writers, counted } = situation
  const changed = posts.flatMap((post) => {
    const skeleton = skeletonOfGuest(post, writers)
    return skeleton === undefined || skeleton === skeletonOfGuest(post) ? [] : [skeleton]
  })
  if (changed.length === 0) return situation
  const found = await findTakenNames(tx, siteId, changed)
  return {
    ...situation,
    counted: { ...counted, takenNames: new Set([...counted.takenNames, ...found]) },
  }
}
