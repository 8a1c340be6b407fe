import { assertScope } from '../../domain/people/caller.ts'
import { lockComment, pinComment } from '../../usecases/decisions/marks.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import { sendWrite, threadVersion } from '../edge/responses.ts'
import { changingComment } from '../wire/comment-key.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentLock, presentPin } from './present.ts'
import { Lock, NewLock, NewPin, Pin } from './schemas.ts'

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const deciding = { ...moderating, query: op.NO_QUERY, limit: 'write', once: true } as const

const PIN_COMMENT = op.operation({
  ...deciding,
  id: 'pinComment',
  summary: 'Pin or unpin a comment',
  description:
    'Sets `pinned` and returns it. Pinning does not change the sort order: the page decides where ' +
    'to show pinned comments.',
  params: object(op.commentParams),
  body: ref(NewPin),
  answers: { 200: ref(Pin) },
})

const LOCK_COMMENT = op.operation({
  ...deciding,
  id: 'lockComment',
  summary: 'Lock or unlock a branch',
  description:
    'Locks a comment and all replies below it: no new replies, no votes, and no edits by authors.',
  params: object(op.commentParams),
  body: ref(NewLock),
  answers: { 200: ref(Lock) },
})

export const addMarkRoutes = (app: Router, { context }: Http): void => {
  app.put('/sites/:site/comments/:id/pin', PIN_COMMENT, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'moderate')
    const act = {
      site,
      moderator: caller,
      is: body.pinned,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await changingComment(context, request, (comment) =>
      pinComment(context, { ...act, comment }, (decided) => ({
        status: 200,
        headers: threadVersion(decided.version),
        body: presentPin(request.ids, decided),
      })),
    )
    return sendWrite(reply, answer)
  })

  app.put('/sites/:site/comments/:id/lock', LOCK_COMMENT, async (request, reply) => {
    const { site, caller, body } = request
    assertScope(caller, 'moderate')
    const act = {
      site,
      moderator: caller,
      is: body.locked,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await changingComment(context, request, (comment) =>
      lockComment(context, { ...act, comment }, (decided) => ({
        status: 200,
        headers: threadVersion(decided.version),
        body: presentLock(request.ids, decided),
      })),
    )
    return sendWrite(reply, answer)
  })
}
