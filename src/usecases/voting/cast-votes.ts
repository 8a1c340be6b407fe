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
import { acquireThreadLock, type Waiting } from '../../postgres/connection/transaction.ts'
import { findBansOn } from '../../postgres/moderation/bans.ts'
import { lockWriterRows } from '../../postgres/people/authors.ts'
import { touchThreads, tryThreadLocksById } from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import { type DecidedGroup, decideFresh } from '../group-commit.ts'
import type { Outcome } from '../write-queue.ts'
import type { Vote, Voted } from './vote.ts'

/** Everything that votes depend on, read under the locks of their threads. */
type Ballot = {
  readonly siteId: number
  /** The comments that can be voted on, by id. */
  readonly comments: ReadonlyMap<number, Votable>
  /** The ids of the voters who exist and are not erased. */
  readonly voters: ReadonlySet<number>
  readonly bans: ReadonlyMap<Vote, readonly BanMatch[]>
  /** The stored votes of these voters, and of guests of their networks. */
  readonly stored: VoteBook
}

/** Votes by comment and voter. */
type VoteBook = ReadonlyMap<string, VoteRow>

/** The votes that a comment has in total. */
type Tally = { upvotes: number; downvotes: number }

/** Casts votes on comments of one thread, and waits for locks. */
export const castPatiently = decideFresh<Vote, undefined>(async (tx, fresh) => {
  if (fresh.length === 0) return NOTHING_CAST
  const { site, comment } = fresh[0]!
  await acquireThreadLock(tx, { siteId: site.id, threadId: comment.threadId }, 'shared')
  return castVotes(tx, fresh, await loadBallot(tx, fresh, 'wait'))
})

/**
 * Casts votes on comments of one site. A vote gets no outcome if its comment or voter is not found, or if
 * another transaction has locked its thread, comment or voter.
 */
export const castTogether = decideFresh<Vote, undefined>(async (tx, fresh) => {
  if (fresh.length === 0) return NOTHING_CAST
  const siteId = fresh[0]!.site.id
  const threadIds = new Set(fresh.map(threadOf))
  const locked = await tryThreadLocksById(tx, siteId, [...threadIds])
  const reachable = fresh.filter((vote) => locked.has(threadOf(vote)))
  if (reachable.length === 0) return NOTHING_CAST
  const ballot = await loadBallot(tx, reachable, 'skip')
  const { comments, voters } = ballot
  const ready = reachable.filter(
    ({ comment, caller }) => comments.has(comment.id) && voters.has(caller.authorId),
  )
  return castVotes(tx, ready, ballot)
})

const threadOf = ({ comment: { threadId } }: Vote): number => threadId

type CastGroup = Omit<DecidedGroup<Vote, undefined>, 'recalled'>

const NOTHING_CAST: CastGroup = {
  outcomes: new Map(),
  threadOf,
  changedThreads: [],
}

/**
 * Casts votes as if they came one after the other. A refused vote changes nothing for the others. Rows are
 * locked in the order that all writers keep.
 */
const castVotes = async (tx: Tx, votes: readonly Vote[], ballot: Ballot): Promise<CastGroup> => {
  const outcomes = new Map<Vote, Outcome<undefined>>()
  const book = new Map(ballot.stored)
  const tallies = new Map(
    [...ballot.comments].map(([id, { upvotes, downvotes }]) => [id, { upvotes, downvotes }]),
  )
  const cast = new Map<Vote, Tally & { isChange: boolean }>()
  for (const vote of votes) {
    try {
      assertMayVote(vote, ballot, book)
      cast.set(vote, enterVote(vote, book, tallies.get(vote.comment.id)!))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      outcomes.set(vote, { refusal: error })
    }
  }
  const versions = await writeChanges(tx, ballot, book)
  for (const [vote, { isChange, ...tally }] of cast) {
    const { comment, value } = vote
    const version = isChange ? versions.get(comment.threadId) : undefined
    const voted: Voted = { comment, value, ...tally, version }
    outcomes.set(vote, { response: vote.present(voted) })
  }
  return { outcomes, threadOf, changedThreads: [...versions.keys()] }
}

const loadBallot = async (tx: Tx, votes: readonly Vote[], waiting: Waiting): Promise<Ballot> => {
  const siteId = votes[0]!.site.id
  const comments = await lockVotableRows(tx, siteId, votes.map(toRow), waiting)
  const voterIds = votes.map(({ caller }) => caller.authorId)
  const voters = new Set((await lockWriterRows(tx, siteId, voterIds, waiting)).keys())
  const rows = await listVotesAndNetworkVotes(tx, siteId, votes.map(toRow))
  const stored = new Map(rows.map((row) => [keyOf(row), row]))
  const identities = votes.map(({ writerIdentity }) => writerIdentity)
  const matches = await findBansOn(tx, siteId, identities)
  const bans = new Map(votes.map((vote, i) => [vote, matches[i]!]))
  return { siteId, comments, voters, bans, stored }
}

const assertMayVote = (vote: Vote, ballot: Ballot, book: VoteBook): void => {
  const { comments, voters, bans } = ballot
  const { caller, comment: key, value } = vote
  if (!voters.has(caller.authorId)) throw new Refusal('invalid_token')
  assertNotBlocked(bans.get(vote)!)
  const comment = comments.get(key.id)
  if (!comment) throw new Refusal('not_found')
  if (comment.authorId === caller.authorId) throw new Refusal('forbidden')
  if (comment.isShadowed) throw new Refusal('not_found')
  if (comment.locked) throw new Refusal('thread_locked')
  if (value !== 0 && !book.has(keyOf(toRow(vote)))) assertNetworkMayVote(vote, book)
}

/** One person can be several guests, so the guests of one network have only so many votes. */
const assertNetworkMayVote = (vote: Vote, book: VoteBook): void => {
  const { commentId, addressHash } = toRow(vote)
  if (addressHash === null) return
  const networkVotes = [...book.values()].filter(
    (row) => row.commentId === commentId && row.addressHash?.equals(addressHash),
  )
  if (networkVotes.length >= vote.maxGuests!) {
    throw new Refusal('forbidden', { authorization: 'enough guests of this network have voted' })
  }
}

/** Enters a vote into the book and the tally of its comment. @returns the tally after it */
const enterVote = (vote: Vote, book: Map<string, VoteRow>, tally: Tally) => {
  const row = toRow(vote)
  const before = book.get(keyOf(row))
  const valueBefore = before?.value ?? 0
  const isChange = row.value !== valueBefore
  if (row.value === 0) book.delete(keyOf(row))
  else if (isChange) book.set(keyOf(row), { ...row, ...before, value: row.value })
  tally.upvotes += Number(row.value === 1) - Number(valueBefore === 1)
  tally.downvotes += Number(row.value === -1) - Number(valueBefore === -1)
  return { ...tally, isChange }
}

/**
 * Writes the votes that differ from the stored ones.
 * @returns the new versions of the threads with such votes
 */
const writeChanges = async (
  tx: Tx,
  { siteId, stored }: Ballot,
  book: VoteBook,
): Promise<ReadonlyMap<number, number>> => {
  const cast = [...book.values()].filter((row) => stored.get(keyOf(row))?.value !== row.value)
  const withdrawn = [...stored.values()].filter((row) => !book.has(keyOf(row)))
  const rows = [...cast, ...withdrawn.map((row) => ({ ...row, value: 0 as const }))]
  if (rows.length === 0) return new Map()
  await writeVotes(tx, siteId, rows)
  await countVotes(tx, siteId, countChanges(rows, stored))
  return touchThreads(tx, siteId, [...new Set(rows.map(({ threadId }) => threadId))])
}

const countChanges = (rows: readonly VoteRow[], stored: VoteBook) =>
  [...Map.groupBy(rows, ({ commentId }) => commentId)].map(([id, changed]) => {
    const added = (value: number): number =>
      changed.filter((row) => row.value === value).length -
      changed.filter((row) => stored.get(keyOf(row))?.value === value).length
    return { threadId: changed[0]!.threadId, id, up: added(1), down: added(-1) }
  })

/** A guest's network is stored only where networks are limited. */
const toRow = ({ caller, comment, value, addressHash, maxGuests }: Vote): VoteRow => ({
  threadId: comment.threadId,
  commentId: comment.id,
  authorId: caller.authorId,
  value,
  addressHash: caller.kind === 'guest' && maxGuests !== undefined ? addressHash : null,
})

const keyOf = ({ commentId, authorId }: VoteRow): string => `${commentId}:${authorId}`
