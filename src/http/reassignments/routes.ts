import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  dryRunReassignment,
  MAX_GUESTS,
  type Reassignment as Reassigned,
  reassignComments,
} from '../../usecases/people/reassign-comments.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { NewReassignment, Reassignment } from './schemas.ts'

const REASSIGN_COMMENTS = op.operation({
  id: 'reassignComments',
  tag: 'Administration',
  summary: "Give guests' comments to a member",
  description:
    'Administrators may give the comments, votes, flags and appeals of a guest, or of all imported ' +
    'guests with the verified e-mail address of a member, to this member. The guests act no more, and ' +
    'it cannot be undone: count first with `dry_run`. Returns 200, or 202 when it continues in the background.',
  params: object({
    ...op.siteParams,
    id: Type.String({ description: 'The id of the member, as an author.' }),
  }),
  query: op.NO_QUERY,
  body: ref(NewReassignment),
  answers: { 200: ref(Reassignment), 202: ref(Reassignment) },
  refusals: ['email_not_verified'],
  credential: 'needed',
  limit: 'write',
})

export const addReassignmentRoutes = (app: Router, { context }: Http): void => {
  app.post('/sites/:site/authors/:id/reassignments', REASSIGN_COMMENTS, async (request, reply) => {
    const { site, ids, caller: administrator, params, body } = request
    assertScope(administrator, 'admin')
    const authorId = ids.read('author', params.id)
    if (authorId === undefined) throw new Refusal('not_found')
    const act = { site, administrator, authorId, from: readFrom(ids, body.from) }
    if (body.dry_run) {
      const counted = await dryRunReassignment(context, act)
      return sendPrivately(reply, present(ids, counted, 'dry_run'))
    }
    const done = await reassignComments(context, act)
    reply.code(done.isDone ? 200 : 202)
    return sendPrivately(reply, present(ids, done, done.isDone ? 'done' : 'running'))
  })
}

/** An id of no author is that of no guest. */
const readFrom = (ids: PublicIds, from: string): 'email' | number =>
  from === 'email' ? from : (ids.read('author', from) ?? 0)

const present = (
  ids: PublicIds,
  reassigned: Reassigned,
  status: 'done' | 'running' | 'dry_run',
) => ({
  status,
  guests: reassigned.guests,
  comments: reassigned.comments,
  votes: reassigned.votes,
  flags: reassigned.flags,
  appeals: reassigned.appeals,
  comment_ids: reassigned.first.map((comment) => ids.writeComment(comment)),
  is_cut: reassigned.guests === MAX_GUESTS,
})
