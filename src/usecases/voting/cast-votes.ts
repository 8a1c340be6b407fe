import type { BanMatch } from '../../domain/moderation/ban.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  countVotes,
  listVotesAndNetworkVotes,
  lockVotableRows,
  type Votable,
  type VoteRow,
  writeVotes,
} from '../../postgres/comments/votes.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock } from '../../postgres/connection/transaction.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import {
  findThreadForWrite,
  type ThreadForWrite,
  touchThread,
} from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import type { Outcome, Outcomes } from '../run-once.ts'
import type { Vote, Voted } from './vote-comment.ts'

/** What has to be known to take votes on comments of one thread. */
type Facts = {
  readonly siteId: number
  readonly threadId: number
  /** Undefined when readers cannot see it. */
  readonly thread: ThreadForWrite | undefined
  /** What can be voted on. */
  readonly comments: ReadonlyMap<number, Votable>
  /** Those who are there and were not erased. */
  readonly voters: ReadonlySet<number>
  /** The votes as they were before. */
  readonly before: Book
  /** Those in force that meet the voters. */
  readonly bans: ReadonlyMap<Vote, readonly BanMatch[]>
}

/** Votes by comment and voter. */
type Book = ReadonlyMap<string, VoteRow>

/**
 * Takes votes on comments of one thread, each as if they came one after the other: one that is
 * refused changes nothing for the others. Rows are locked in the order of every writer.
 */
export const castVotes = async (
  tx: Tx,
  votes: readonly Vote[],
  changed: Set<number>,
): Promise<Outcomes<Vote>> => {
  const outcomes = new Map<Vote, Outcome>()
  if (votes.length === 0) return outcomes
  const facts = await gatherFacts(tx, votes)
  const after = new Map(facts.before)
  const taken = new Map<Vote, { figures: Tally; isChange: boolean }>()
  const figures = new Map([...facts.comments].map(([id, comment]) => [id, { ...comment }]))
  for (const vote of votes) {
    try {
      assertMayVote(vote, facts, after)
      taken.set(vote, take(vote, after, figures.get(vote.comment.id)!))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      outcomes.set(vote, { refusal: error })
    }
  }
  const version = await write(tx, facts, after)
  if (version !== undefined) changed.add(facts.threadId)
  for (const [vote, { figures: at, isChange }] of taken) {
    const { comment, value } = vote
    const voted: Voted = { comment, value, ...at, version: isChange ? version : undefined }
    outcomes.set(vote, { answer: vote.present(voted) })
  }
  return outcomes
}

const gatherFacts = async (tx: Tx, votes: readonly Vote[]): Promise<Facts> => {
  const { site, comment } = votes[0]!
  const at = { siteId: site.id, threadId: comment.threadId }
  await acquireThreadLock(tx, at, 'shared')
  const thread = await findThreadForWrite(tx, at.siteId, at.threadId)
  const isVisible = thread !== undefined && thread.state !== 'hidden'
  const ids = isVisible ? votes.map((vote) => vote.comment.id) : []
  const comments = await lockVotableRows(tx, { ...at, ids })
  const voterIds = votes.map(({ caller }) => caller.authorId)
  const voters = new Set((await lockWriterRows(tx, at.siteId, voterIds)).keys())
  const beside = await listVotesAndNetworkVotes(tx, at, votes.map(toRow))
  const before = new Map(beside.map((row) => [placeOf(row), row]))
  const found = await findBansOn(
    tx,
    at.siteId,
    votes.map(({ suspect }) => suspect),
  )
  const bans = new Map(votes.map((vote, i) => [vote, found[i]!]))
  return { ...at, thread: isVisible ? thread : undefined, comments, voters, before, bans }
}

const assertMayVote = (vote: Vote, facts: Facts, book: Book): void => {
  const { thread, comments, voters, bans } = facts
  const { caller, comment } = vote
  if (!voters.has(caller.authorId)) throw new Refusal('invalid_token')
  assertNotBlocked(bans.get(vote)!)
  const found = comments.get(comment.id)
  if (!thread || !found) throw new Refusal('not_found')
  if (found.authorId === caller.authorId) throw new Refusal('forbidden')
  if (found.isShadowed) throw new Refusal('not_found')
  if (thread.state === 'locked' || found.locked) throw new Refusal('thread_locked')
  if (vote.value !== 0 && !book.has(placeOf(toRow(vote)))) assertNetworkMayVote(vote, book)
}

/** Anybody can be as many guests as it likes. */
const assertNetworkMayVote = (vote: Vote, book: Book): void => {
  const { commentId, addressHash } = toRow(vote)
  if (addressHash === null) return
  const others = [...book.values()].filter(
    (row) => row.commentId === commentId && row.addressHash?.equals(addressHash),
  )
  if (others.length >= vote.maxGuests!) {
    throw new Refusal('forbidden', { authorization: 'enough guests of this network have voted' })
  }
}

type Tally = { upvotes: number; downvotes: number }

/** Enters the vote into the book and counts it. @returns the figures after it */
const take = (vote: Vote, book: Map<string, VoteRow>, tally: Tally) => {
  const row = toRow(vote)
  const place = placeOf(row)
  const before = book.get(place)
  const was = before?.value ?? 0
  if (row.value === 0) book.delete(place)
  else if (row.value !== was) book.set(place, { ...row, ...before, value: row.value })
  tally.upvotes += Number(row.value === 1) - Number(was === 1)
  tally.downvotes += Number(row.value === -1) - Number(was === -1)
  const { upvotes, downvotes } = tally
  return { figures: { upvotes, downvotes }, isChange: row.value !== was }
}

/** Writes the votes that are other than before. @returns the thread's new version, if there are any */
const write = async (
  tx: Tx,
  { siteId, threadId, before }: Facts,
  after: Book,
): Promise<number | undefined> => {
  const set = [...after].flatMap(([place, row]) =>
    before.get(place)?.value === row.value ? [] : [row],
  )
  const withdrawn = [...before].flatMap(([place, row]) =>
    after.has(place) ? [] : [{ ...row, value: 0 as const }],
  )
  const rows = [...set, ...withdrawn]
  if (rows.length === 0) return undefined
  await writeVotes(tx, { siteId, threadId }, rows)
  await countVotes(tx, { siteId, threadId }, countChanges(rows, before))
  return touchThread(tx, siteId, threadId)
}

const countChanges = (rows: readonly VoteRow[], before: Book) =>
  [...Map.groupBy(rows, ({ commentId }) => commentId)].map(([id, those]) => {
    const count = (value: number) =>
      those.reduce(
        (sum, row) =>
          sum + Number(row.value === value) - Number(before.get(placeOf(row))?.value === value),
        0,
      )
    return { id, up: count(1), down: count(-1) }
  })

/** Where networks have no share, nothing of them is kept. */
const toRow = ({ caller, comment, value, addressHash, maxGuests }: Vote): VoteRow => ({
  commentId: comment.id,
  authorId: caller.authorId,
  value,
  addressHash: caller.kind === 'guest' && maxGuests !== undefined ? addressHash : null,
})

const placeOf = ({ commentId, authorId }: VoteRow): string => `${commentId}:${authorId}`
