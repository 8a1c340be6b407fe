import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import { type AuthorCaller, assertPerson, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { commitGroup, type WriteHandler } from '../posting/group-commit.ts'
import { enqueueWrite } from '../posting/write-queue.ts'
import { castVotes } from './cast-votes.ts'

export type VoteRequest = {
  readonly site: Site
  readonly caller: Caller
  readonly comment: CommentKey
  /** 0: no vote. */
  readonly value: -1 | 0 | 1
  readonly addressHash: Buffer
  /** So many guests of one network may vote on one comment; undefined: as many as like. */
  readonly maxGuests: number | undefined
  readonly suspect: WriterIdentity | undefined
  readonly claim: IdempotencyKey | undefined
}

/** A vote as it stands, and what the comment has got altogether. */
export type Voted = {
  readonly comment: CommentKey
  readonly value: -1 | 0 | 1
  readonly upvotes: number
  readonly downvotes: number
  /** The thread's new version; undefined when nothing has changed. */
  readonly version: number | undefined
}

/** A request on its way. */
export type Vote = Omit<VoteRequest, 'caller'> & {
  readonly caller: AuthorCaller
  readonly present: (voted: Voted) => unknown
}

/**
 * Votes on a comment, changes the vote, or takes it back. One vote for each person and comment;
 * not on one's own. Votes on comments of one thread that come at the same time share a
 * transaction, and every one is answered once readers can see it.
 */
export const voteComment = async <Answer>(
  context: Context,
  request: VoteRequest,
  present: (voted: Voted) => Answer,
): Promise<Answer> => {
  const { site, caller, comment } = request
  assertMayTakePart(site, caller)
  const thread = `${site.id}:${comment.threadId}`
  const write = { thread, write: { ...request, caller, present } }
  return (await enqueueWrite(context.votes, write, (votes) =>
    commitGroup(context, votes, VOTING),
  )) as Answer
}

const VOTING: WriteHandler<Vote> = {
  act: castVotes,
  findThread: async (_tx, { comment }) => comment.threadId,
}

/** Refuses whoever has no say on the site: nobody and keys, and guests where only members have one. */
export function assertMayTakePart(site: Site, caller: Caller): asserts caller is AuthorCaller {
  assertPerson(caller)
  if (caller.kind === 'guest' && site.posting === 'members') throw new Refusal('login_required')
}
