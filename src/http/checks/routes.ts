import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '../../domain/refusal.ts'
import { type Signed, verdictsPath } from '../../domain/site/check.ts'
import { reportCheck } from '../../usecases/checks/report-check.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { Verdict } from './schemas.ts'

const REPORT_CHECK = op.operation({
  id: 'reportCheck',
  tag: 'Moderation',
  summary: "Report an external check's verdict",
  description:
    'Called by the external check itself, signed with its secret at most five minutes ago; the ' +
    'first verdict counts. If a moderator has already decided, the verdict is recorded but ' +
    'changes nothing.',
  params: object({
    ...op.siteParams,
    name: Type.String({ description: 'The name of the check.' }),
  }),
  query: op.NO_QUERY,
  body: ref(Verdict),
  answers: { 204: NOTHING },
  refusals: ['login_required', 'body_too_large', 'unsupported_media_type'],
  credential: 'taken',
  // A check sends all verdicts from one address, so the larger limit of reads applies.
  limit: 'read',
  signed: true,
})

export const addCheckRoutes = (app: Router, { context }: Http): void => {
  app.post('/sites/:site/checks/:name/verdicts', REPORT_CHECK, async (request, reply) => {
    const { site, ids, params, body } = request
    await reportCheck(context, {
      site,
      name: params.name,
      signed: readSigned(request, verdictsPath(params.site, params.name)),
      comment: ids.readComment(body.comment_id),
      score: body.score,
      revision: body.revision,
    })
    return sendPrivately(reply.code(204), undefined)
  })
}

const readSigned = ({ headers, bytes, caller }: FastifyRequest, path: string): Signed => {
  const { 'afterword-timestamp': timestamp, 'afterword-signature': signature } = headers
  if (typeof timestamp === 'string' && typeof signature === 'string')
    return { path, timestamp, signature, body: bytes }
  throw new Refusal(caller.kind === 'nobody' ? 'login_required' : 'invalid_token')
}
