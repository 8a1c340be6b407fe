import { assertScope } from '../../domain/people/caller.ts'
import { listRevisions } from '../../usecases/queue/queue.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { withComment } from '../wire/comment-key.ts'
import { type Binding, readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentRevision } from './present.ts'
import { RevisionsPage } from './schemas.ts'

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const LIST_REVISIONS = op.operation({
  ...moderating,
  id: 'listRevisions',
  summary: 'List earlier versions of a comment',
  description:
    'Returns the texts before each edit, latest first. The current text is not included.',
  params: object(op.commentParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(RevisionsPage) },
  refusals: ['invalid_cursor'],
  limit: 'read',
})

export const addRevisionRoutes = (app: Router, { context, keys }: Http): void => {
  app.get('/sites/:site/comments/:id/revisions', LIST_REVISIONS, async (request, reply) => {
    assertScope(request.caller, 'moderate')
    const { site, params, query } = request
    const binding = ['revisions', site.id, params.id]
    const before = readId(binding, query.cursor)
    const { items, nextId } = await withComment(context, request, (comment) =>
      listRevisions(context, { site, comment, before, ...query }),
    )
    return sendPrivately(reply, {
      items: items.map((revision) => presentRevision(request.ids, revision)),
      next_cursor: writeId(binding, nextId),
    })
  })

  const readId = (binding: Binding, cursor: string | undefined): number | null =>
    readIdCursor(keys().cursors, binding, cursor)

  const writeId = (binding: Binding, id: number | null): string | null =>
    writeIdCursor(keys().cursors, binding, id)
}
