import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { type Caller, isAuthor, mayModerate } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { editableUntil, type Site } from '../../domain/site/site.ts'
import { deleteComment } from '../../usecases/editing/delete-comment.ts'
import { editComment } from '../../usecases/editing/edit-comment.ts'
import { type Restored, restoreComment } from '../../usecases/editing/restore-comment.ts'
import {
  type CommentInContext,
  findRestrictedComment,
  getComment,
} from '../../usecases/reading/get-comment.ts'
import { senderOf } from '../edge/addresses.ts'
import { readIfMatch } from '../edge/conditions.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import * as answers from '../edge/responses.ts'
import { writerIdentityOf } from '../edge/writer-identity.ts'
import { changingComment, withComment } from '../wire/comment-key.ts'
import { readBody } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { presentComment, presentOwn, presentWhole } from './present.ts'
import { EditedComment, EditRequest, CommentInContext as InContextOnWire } from './schemas.ts'

const GET_COMMENT = op.operation({
  id: 'getComment',
  tag: 'Reading',
  summary: 'Get one comment',
  description:
    'Anyone may read a published comment; the author can also read it while it is held, and ' +
    'moderators can read it in any status. With `context`, the response includes its nearest ' +
    'ancestors.',
  params: object(op.commentParams),
  query: object({
    context: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 100, description: 'How many ancestors to add.' }),
    ),
    ...op.atLeastParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(InContextOnWire) },
  credential: 'taken',
  limit: 'read',
})

const EDIT_COMMENT = op.operation({
  id: 'editComment',
  tag: 'Posting',
  summary: 'Edit a comment',
  description:
    'Replaces the text; the author may do so within the edit window and before any edit of a ' +
    'moderator, a moderator at any time, and ' +
    '`If-Match: "<revision>"` prevents overwriting another edit. An author\'s edit is judged again ' +
    'and may be held (202).',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: ref(EditRequest),
  answers: { 200: ref(EditedComment), 202: ref(EditedComment) },
  refusals: ['banned', 'site_closed', 'thread_locked', 'edit_window_over', 'edit_conflict'],
  credential: 'needed',
  limit: 'create',
  once: true,
})

const DELETE_COMMENT = op.operation({
  id: 'deleteComment',
  tag: 'Posting',
  summary: 'Delete a comment',
  description:
    'The author or a moderator may delete a comment; it returns 204. If it has visible replies, a ' +
    'tombstone without text takes its place.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 204: NOTHING },
  credential: 'needed',
  limit: 'create',
  once: true,
})

const RESTORE_COMMENT = op.operation({
  id: 'restoreComment',
  tag: 'Posting',
  summary: 'Restore an own deleted comment',
  description:
    'The author may restore a comment that they deleted, within the edit window: 200 if readers see ' +
    'it again, 202 if it is held.',
  params: object(op.commentParams),
  query: op.NO_QUERY,
  body: op.NO_BODY,
  answers: { 200: ref(EditedComment), 202: ref(EditedComment) },
  refusals: ['banned', 'site_closed', 'thread_locked', 'edit_window_over'],
  credential: 'needed',
  limit: 'create',
  once: true,
})

export const addCommentRoutes = (app: Router, http: Http): void => {
  addGetComment(app, http)
  addEditComment(app, http)
  addDeleteComment(app, http)
  addRestoreComment(app, http)
}

const addGetComment = (app: Router, http: Http): void => {
  const { context } = http
  app.get('/sites/:site/comments/:id', GET_COMMENT, async (request, reply) => {
    const { site, ids, caller, query } = request
    const { context: ancestorCount, at_least: atLeast } = query
    return withComment(context, request, async (comment) => {
      const own = await findRestrictedComment(context, { site, comment, caller, ancestorCount })
      if (own) return sendOwn(reply, own, { ids, caller, ancestorCount })
      const variant = answers.variantOf(http, site, [
        'getComment',
        request.params.id,
        ancestorCount,
      ])
      const page = await getComment(
        context,
        {
          site,
          caller,
          comment,
          ancestorCount,
          atLeast,
          variant,
          encoding: answers.encodingOf(request),
        },
        ({ thread, comment: found, ancestors: above }) => {
          const ancestors = ancestorCount !== undefined && {
            ancestors: above.map((ancestor) => presentComment(ids, ancestor)),
          }
          const body = { ...presentComment(ids, found), ...ancestors }
          return answers.toPage(answers.versionTag(thread.version, variant), null, body)
        },
      )
      return answers.sendPage(request, reply, page)
    })
  })
}

const addEditComment = (app: Router, { context, keys }: Http): void => {
  app.patch('/sites/:site/comments/:id', EDIT_COMMENT, async (request, reply) => {
    const { site, ids, caller } = request
    const edit = {
      body: readBody(request.body.body),
      ifRevision: readIfMatch(request),
      writerIdentity: writerIdentityOf(keys().addresses, request),
      sender: senderOf(request),
    }
    const idempotencyKey = readIdempotencyKey(request)
    const answer = await changingComment(context, request, (comment) =>
      editComment(
        context,
        { site, caller, comment, ...edit, idempotencyKey },
        presentEdited(ids, request),
      ),
    )
    return answers.sendWrite(reply, answer)
  })
}

const addDeleteComment = (app: Router, { context }: Http): void => {
  app.delete('/sites/:site/comments/:id', DELETE_COMMENT, async (request, reply) => {
    const { site, caller } = request
    const idempotencyKey = readIdempotencyKey(request)
    const answer = await changingComment(context, request, (comment) =>
      deleteComment(context, { site, caller, comment, idempotencyKey }, ({ version }) => ({
        status: 204,
        headers: answers.threadVersion(version),
        body: null,
      })),
    )
    return answers.sendWrite(reply, answer)
  })
}

const addRestoreComment = (app: Router, { context, keys }: Http): void => {
  app.post('/sites/:site/comments/:id/restorations', RESTORE_COMMENT, async (request, reply) => {
    const { site, ids, caller } = request
    const writerIdentity = writerIdentityOf(keys().addresses, request)
    const idempotencyKey = readIdempotencyKey(request)
    const answer = await changingComment(context, request, (comment) =>
      restoreComment(
        context,
        { site, caller, comment, writerIdentity, idempotencyKey },
        presentEdited(ids, request),
      ),
    )
    return answers.sendWrite(reply, answer)
  })
}

const presentEdited =
  (ids: PublicIds, { site, caller }: { site: Site; caller: Caller }) =>
  ({ comment, version }: Restored): answers.WriteResponse => {
    const edited = isAuthor(caller, comment.author)
      ? presentOwn(ids, comment, editableUntil(site, comment))
      : presentWhole(ids, comment)
    return {
      status: comment.status === 'pending' ? 202 : 200,
      headers: answers.threadVersion(version),
      body: { ...edited, now: answers.now() },
    }
  }

type Reading = {
  readonly ids: PublicIds
  readonly caller: Caller
  readonly ancestorCount: number | undefined
}

/** Moderators see the ancestors whole; the author sees them as readers do. */
const sendOwn = (
  reply: FastifyReply,
  { comment, ancestors: above }: Omit<CommentInContext, 'thread'>,
  { ids, caller, ancestorCount }: Reading,
): FastifyReply => {
  const presentAncestor = mayModerate(caller) ? presentWhole : presentComment
  const ancestors = ancestorCount !== undefined && {
    ancestors: above.map((ancestor) => presentAncestor(ids, ancestor)),
  }
  return answers.sendPrivately(reply, { ...presentWhole(ids, comment), ...ancestors })
}
