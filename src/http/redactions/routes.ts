import { assertScope } from '../../domain/people/caller.ts'
import { redactComment } from '../../usecases/decisions/redact-comment.ts'
import { presentDecision } from '../decisions/present.ts'
import { Decision } from '../decisions/schemas.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendWrite, threadVersion } from '../edge/responses.ts'
import { changingComment } from '../wire/comment-key.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { NewRedaction } from './schemas.ts'

const REDACT_COMMENT = op.operation({
  id: 'redactComment',
  tag: 'Administration',
  summary: "Remove a comment's text for good",
  description:
    'Administrators may remove the text of a comment, or of one earlier revision, with everything that ' +
    'can quote it: notes, flags, appeals, traces and stored responses. The comment is deleted. Nothing ' +
    'undoes it, and no one can restore or edit the comment.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(NewRedaction),
  answers: { 201: ref(Decision) },
  refusals: ['decision_conflict'],
  credential: 'needed',
  limit: 'write',
  once: true,
})

export const addRedactionRoutes = (app: Router, { context }: Http): void => {
  app.post('/sites/:site/comments/:id/redactions', REDACT_COMMENT, async (request, reply) => {
    const { site, ids, caller, body } = request
    assertScope(caller, 'admin')
    const { revision = null, reason, note = null } = body
    const act = { site, administrator: caller, revision, reason, note }
    const idempotencyKey = readIdempotencyKey(request)
    const answer = await changingComment(context, request, (comment) =>
      redactComment(context, { ...act, comment, idempotencyKey }, ({ decision, version }) => ({
        status: 201,
        headers: threadVersion(version),
        body: presentDecision(ids, decision),
      })),
    )
    return sendWrite(reply, answer)
  })
}
