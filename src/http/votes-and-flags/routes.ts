import { flagComment } from '../../usecases/voting/flag-comment.ts'
import { voteComment } from '../../usecases/voting/vote-comment.ts'
import { hashNetwork } from '../edge/addresses.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import { limitOf } from '../edge/limits.ts'
import type { Http } from '../edge/request-context.ts'
import { sendWrite, threadVersion } from '../edge/responses.ts'
import { writerIdentityOf } from '../edge/writer-identity.ts'
import { changingComment, withComment } from '../wire/comment-key.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentFlag, presentVoted } from './present.ts'
import { Flag, NewFlag, NewVote, Vote } from './schemas.ts'

/** The number of guests of one network whose votes on a comment count, because a person can have many guest tokens. */
const MAX_GUEST_VOTES = 5

const MAX_GUEST_FLAGS = 3

const VOTE_COMMENT = op.operation({
  id: 'voteComment',
  tag: 'Posting',
  summary: 'Vote on a comment',
  description:
    "Sets the caller's vote to 1, -1 or 0 (none) and returns the new score; guests and members " +
    `may vote, but not on their own comments. At most ${MAX_GUEST_VOTES} guests from one network can ` +
    'vote on one comment.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(NewVote),
  answers: { 200: ref(Vote) },
  refusals: ['banned', 'site_closed', 'voting_disabled', 'thread_locked'],
  credential: 'needed',
  limit: 'vote',
  once: true,
})

const FLAG_COMMENT = op.operation({
  id: 'flagComment',
  tag: 'Posting',
  summary: 'Flag a comment for moderators',
  description:
    "Returns 201 for a first flag, and 200 when it replaces the caller's earlier flag. Guests and " +
    `members may flag; at most ${MAX_GUEST_FLAGS} guests from one network can flag one comment.`,
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(NewFlag),
  answers: { 200: ref(Flag), 201: ref(Flag) },
  refusals: ['banned', 'site_closed'],
  credential: 'needed',
  limit: 'flag',
  once: true,
})

export const addVoteAndFlagRoutes = (app: Router, { context, keys, limits }: Http): void => {
  app.put('/sites/:site/comments/:id/vote', VOTE_COMMENT, async (request, reply) => {
    const { site, caller, body, network } = request
    const vote = {
      value: body.value,
      addressHash: hashNetwork(keys().addresses, network),
      maxGuests: limitOf(limits, site, 'vote') === 0 ? undefined : MAX_GUEST_VOTES,
      writerIdentity: writerIdentityOf(keys().addresses, request),
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await withComment(context, request, (comment) =>
      voteComment(context, { site, caller, comment, ...vote }, (voted) => ({
        status: 200,
        headers: threadVersion(voted.version),
        body: presentVoted(request.ids, voted),
      })),
    )
    return sendWrite(reply, answer)
  })

  app.post('/sites/:site/comments/:id/flags', FLAG_COMMENT, async (request, reply) => {
    const { site, caller, body, network } = request
    const flag = {
      reason: body.reason,
      note: body.note ?? null,
      addressHash: hashNetwork(keys().addresses, network),
      maxGuests: limitOf(limits, site, 'flag') === 0 ? undefined : MAX_GUEST_FLAGS,
      writerIdentity: writerIdentityOf(keys().addresses, request),
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await changingComment(context, request, (comment) =>
      flagComment(context, { site, caller, comment, ...flag }, (flagged) => ({
        status: flagged.isNew ? 201 : 200,
        headers: {},
        body: presentFlag(flagged),
      })),
    )
    return sendWrite(reply, answer)
  })
}
