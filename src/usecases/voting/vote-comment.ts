import { type AuthorCaller, assertPerson, type Caller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { assertIsOpen, isForMembers, type Site } from '../../domain/site/site.ts'
import type { Context } from '../context.ts'
import { commitGroup, leavingLockTimeouts } from '../group-commit.ts'
import { enqueueSharedWrite } from '../write-queue.ts'
import { castPatiently, castTogether } from './cast-votes.ts'
import type { Voted, VoteRequest } from './vote.ts'

export type { Voted } from './vote.ts'

/**
 * Sets, changes or withdraws the caller's vote on a comment. Votes that reach a site while it has a
 * transaction of votes in progress share the next transaction, as if they came one after the other.
 */
export const voteComment = async <Response>(
  context: Context,
  request: VoteRequest,
  present: (voted: Voted) => Response,
): Promise<Response> => {
  const { site, caller, comment } = request
  assertMayTakePart(site, caller)
  assertTakesVote(site, request.value)
  const vote = { ...request, caller, present }
  const { response } = await enqueueSharedWrite(
    context.votes,
    { site: String(site.id), thread: `${site.id}:${comment.threadId}`, write: vote },
    {
      together: (votes) => leavingLockTimeouts(commitGroup(context, votes, castTogether)),
      patiently: (votes) => commitGroup(context, votes, castPatiently),
    },
  )
  return response as Response
}

/** Refuses callers who are no person, and guests on a site where only members take part. */
export function assertMayTakePart(site: Site, caller: Caller): asserts caller is AuthorCaller {
  assertPerson(caller)
  assertIsOpen(site)
  if (caller.kind === 'guest' && isForMembers(site)) throw new Refusal('login_required')
}

/** A vote of 0 withdraws a vote, which is always possible. */
const assertTakesVote = ({ voting }: Site, value: VoteRequest['value']): void => {
  const isRefused = voting === 'off' ? value !== 0 : voting === 'up' && value === -1
  if (isRefused) throw new Refusal('voting_disabled')
}
