import type { BanMatch } from '../../domain/moderation/ban.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  countVotes,
  listVotesAndNetworkVotes,
  lockVotableRows,
  type TallyChange,
  type Votable,
  type VoteRow,
  writeVotes,
} from '../../postgres/comments/votes.ts'
import { type RowsOf, type Send, sendTogether } from '../../postgres/connection/pipeline.ts'
import { LOCK_THREAD, type Waiting } from '../../postgres/connection/transaction.ts'
import { askBansOn, toMatches } from '../../postgres/moderation/bans.ts'
import { LOCK_WRITER_ROWS } from '../../postgres/people/authors.ts'
import { TRY_LOCKS_BY_ID, toLockedThreads, writeVersions } from '../../postgres/threads/threads.ts'
import { assertNotBlocked } from '../bans/ban-effects.ts'
import { type DecidedGroup, type DecideGroup, decideFresh } from '../group-commit.ts'
import { askForResponses } from '../run-once.ts'
import type { Outcome, Outcomes } from '../write-queue.ts'
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
  if (fresh.length === 0) return { outcomes: new Map(), threadOf, changedThreads: [] }
  const { site, comment } = fresh[0]!
  const { queries, toBallot } = askForBallot(fresh, 'wait')
  const lock = LOCK_THREAD.shared({ siteId: site.id, threadId: comment.threadId })
  const [, ...rows] = await sendTogether(tx, [lock, ...queries])
  return castVotes(fresh, toBallot(rows))
})

/**
 * Casts votes on comments of one site, after one round trip to Postgres. A vote gets no outcome if its comment or
 * voter is not found, or if another transaction has locked its thread, comment or voter.
 */
export const castTogether: DecideGroup<Vote, undefined> = async (tx, all) => {
  const siteId = all[0]!.site.id
  const responses = askForResponses<Vote, undefined>(all)
  const { queries, toBallot } = askForBallot(all, 'skip')
  const [locks, keys, answers, ...rows] = await sendTogether(tx, [
    TRY_LOCKS_BY_ID.shared({ siteId, ids: [...new Set(all.map(threadOf))] }),
    ...responses.queries,
    ...queries,
  ])
  const recalled = responses.toRecalled([keys, answers])
  const locked = toLockedThreads(locks)
  const ballot = toBallot(rows)
  const { comments, voters } = ballot
  const ready = recalled.fresh.filter(
    ({ comment: { threadId, id }, caller }) =>
      locked.has(threadId) && comments.has(id) && voters.has(caller.authorId),
  )
  return { recalled, ...castVotes(ready, ballot) }
}

const threadOf = ({ comment: { threadId } }: Vote): number => threadId

type CastGroup = Omit<DecidedGroup<Vote, undefined>, 'recalled'>

/**
 * Casts votes as if they came one after the other. A refused vote changes nothing for the others. Rows are
 * locked in the order that all writers keep.
 */
const castVotes = (votes: readonly Vote[], ballot: Ballot): CastGroup => {
  const refused = new Map<Vote, Outcome<undefined>>()
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
      refused.set(vote, { refusal: error })
    }
  }
  const rows = listChanges(ballot, book)
  const changedThreads = [...new Set(rows.map(({ threadId }) => threadId))]
  const store = async (send: Send): Promise<Outcomes<Vote, undefined>> => {
    const versions = await writeChanges(send, ballot, rows)
    return new Map(
      [...cast].map(([vote, { isChange, ...tally }]) => {
        const { comment, value } = vote
        const version = isChange ? versions.get(comment.threadId) : undefined
        const voted: Voted = { comment, value, ...tally, version }
        return [vote, { response: vote.present(voted) }]
      }),
    )
  }
  return { outcomes: refused, store: cast.size > 0 ? store : undefined, threadOf, changedThreads }
}

/** The statements that lock and read what votes depend on, and the ballot from their rows. */
const askForBallot = (votes: readonly Vote[], waiting: Waiting) => {
  const siteId = votes[0]!.site.id
  const rows = votes.map(toRow)
  const identities = votes.map(({ writerIdentity }) => writerIdentity)
  const queries = [
    lockVotableRows(siteId, rows, waiting),
    LOCK_WRITER_ROWS[waiting]({ siteId, ids: votes.map(({ caller }) => caller.authorId) }),
    listVotesAndNetworkVotes(siteId, rows),
    identities.some(Boolean) ? askBansOn(siteId, identities) : undefined,
  ] as const
  const toBallot = ([comments, voters, stored, found]: RowsOf<typeof queries>): Ballot => {
    const matches = toMatches(identities, found)
    return {
      siteId,
      comments: new Map(comments.map((comment) => [comment.id, comment])),
      voters: new Set(voters.map(({ id }) => id)),
      stored: new Map(stored.map((row) => [keyOf(row), row])),
      bans: new Map(votes.map((vote, i) => [vote, matches[i]!])),
    }
  }
  return { queries, toBallot }
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

/** The votes that differ from the stored ones; 0 for those that were withdrawn. */
const listChanges = ({ stored }: Ballot, book: VoteBook): VoteRow[] => {
  const cast = [...book.values()].filter((row) => stored.get(keyOf(row))?.value !== row.value)
  const withdrawn = [...stored.values()].filter((row) => !book.has(keyOf(row)))
  return [...cast, ...withdrawn.map((row) => ({ ...row, value: 0 as const }))]
}

/** Writes votes. @returns the new versions of their threads */
const writeChanges = async (
  send: Send,
  { siteId, stored }: Ballot,
  rows: readonly VoteRow[],
): Promise<ReadonlyMap<number, number>> => {
  if (rows.length === 0) return new Map()
  const [, , , threads] = await send([
    writeVotes(siteId, rows),
    countVotes(siteId, countChanges(rows, stored)),
    ...writeVersions(siteId, [...new Set(rows.map(({ threadId }) => threadId))]),
  ])
  return new Map(threads.map(({ id, version }) => [id, version]))
}

const countChanges = (rows: readonly VoteRow[], stored: VoteBook): TallyChange[] =>
  [...Map.groupBy(rows, (row) => row.commentId)].map(([commentId, changed]) => {
    const added = (value: number): number =>
      changed.filter((row) => row.value === value).length -
      changed.filter((row) => stored.get(keyOf(row))?.value === value).length
    return { threadId: changed[0]!.threadId, commentId, up: added(1), down: added(-1) }
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
