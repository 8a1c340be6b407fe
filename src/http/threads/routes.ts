import { Type } from 'typebox'
import { assertScope } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { deleteThread } from '../../usecases/decisions/delete-thread.ts'
import { updateThread } from '../../usecases/decisions/update-thread.ts'
import { getThread, listThread, type ThreadPage } from '../../usecases/reading/list-thread.ts'
import { presentComment } from '../comments/present.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import {
  sendPrivately,
  sendRead,
  sendWrite,
  threadVersion,
  toHashedPage,
  toPage,
  unconfirmed,
  variantOf,
  versionTag,
} from '../edge/responses.ts'
import { presentBranches, replyCursor } from '../replies/present.ts'
import { sortParam, treeParams } from '../replies/routes.ts'
import { presentSiteConfig } from '../sites/present.ts'
import { presentStaffById } from '../staff/present.ts'
import { readCommentKey } from '../wire/comment-key.ts'
import { nameOfPlace, readSortedCursor, writeSortedCursor } from '../wire/cursors.ts'
import { readThreadFields } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentAbsentThread, presentModeratedThread, presentThread } from './present.ts'
import {
  DeletedThread,
  ModeratedThread,
  Thread,
  ThreadChange,
  ThreadDeletion,
  ThreadPage as ThreadPageOnWire,
} from './schemas.ts'

const GET_THREAD = op.operation({
  id: 'getThread',
  tag: 'Reading',
  summary: "Get a thread's counts and state",
  description:
    'Anyone may call it; it returns comment counts, state and version. An article without a ' +
    'visible thread returns 200 with zeros and nulls, not 404.',
  params: object(op.articleParams),
  query: object(op.atLeastParam),
  body: op.NO_BODY,
  answers: { 200: ref(Thread) },
  credential: 'taken',
  limit: 'read',
})

const LIST_THREAD = op.operation({
  id: 'listThread',
  tag: 'Reading',
  summary: 'List the comments of an article',
  description:
    'Anyone may call it; it returns at most 500 comments and 2 MiB of text, as a tree or a flat ' +
    'list, with cursors for the rest. With `focus`, each list starts at the branch that contains ' +
    'that comment.',
  params: object(op.articleParams),
  query: object({
    view: oneOf(['tree', 'flat'], { default: 'tree', description: 'Flat views omit tombstones.' }),
    ...sortParam,
    ...op.limitParam,
    ...treeParams,
    ...op.cursorParam,
    focus: Type.Optional(
      Type.String({ description: 'A comment that the page must show. Tree only.' }),
    ),
    include: Type.Optional(
      oneOf(['config', 'staff', 'config,staff'], {
        description:
          'Adds the settings of `getSiteConfig`, or the staff among the authors of the page.',
      }),
    ),
    ...op.atLeastParam,
  }),
  body: op.NO_BODY,
  answers: { 200: ref(ThreadPageOnWire) },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

const moderating = { tag: 'Moderation', credential: 'needed' } as const

const UPDATE_THREAD = op.operation({
  ...moderating,
  id: 'updateThread',
  summary: "Update a thread's settings",
  description:
    'Changes only the fields sent (state, title, URL, closing time, slow mode, moderation mode), ' +
    'and creates the thread if the article has none. `state: open` on a thread that closed ' +
    'automatically also stops it from closing automatically again.',
  params: object(op.articleParams),
  query: op.NO_QUERY,
  body: ref(ThreadChange),
  answers: { 200: ref(ModeratedThread) },
  limit: 'write',
  once: true,
})

const DELETE_THREAD = op.operation({
  tag: 'Administration',
  credential: 'needed',
  id: 'deleteThread',
  summary: "Delete an article's thread for good",
  description:
    'Administrators may delete a thread with all comments and votes; it cannot be undone. From the ' +
    'response (202) on readers see an article without comments, which can be commented anew; a job ' +
    'deletes the rows.',
  params: object(op.articleParams),
  query: op.NO_QUERY,
  body: ref(ThreadDeletion),
  answers: { 200: ref(DeletedThread), 202: ref(DeletedThread) },
  refusals: ['decision_conflict'],
  limit: 'write',
})

export const addThreadRoutes = (app: Router, http: Http): void => {
  addGetThread(app, http)
  addListThread(app, http)
  addUpdateThread(app, http)
  addDeleteThread(app, http)
}

const addGetThread = (app: Router, { context }: Http): void => {
  app.get('/sites/:site/articles/:article_id', GET_THREAD, async (request, reply) => {
    const { site, caller, params, query } = request
    const articleId = params.article_id
    const asked = { site, caller, articleId, atLeast: query.at_least }
    return sendRead(request, reply, async () => {
      const found = await getThread(context, asked)
      const body = found ? presentThread(site, found.thread) : presentAbsentThread(articleId, site)
      const page = toHashedPage(null, body)
      return found?.isConfirmed === false ? unconfirmed(page) : page
    })
  })
}

const addListThread = (app: Router, http: Http): void => {
  const { context, keys, limits: quotas } = http
  app.get('/sites/:site/articles/:article_id/comments', LIST_THREAD, async (request, reply) => {
    const { site, ids, caller } = request
    const { article_id: articleId } = request.params
    const { view, cursor, sort: asked, focus, at_least: atLeast, ...rest } = request.query
    const { include = '', ...limits } = rest
    if (focus !== undefined && (cursor !== undefined || view === 'flat')) {
      throw new Refusal('invalid_request', { focus: 'goes with the first page of the tree only' })
    }
    const binding = ['thread', site.id, articleId, view]
    const { sort, after } = readSortedCursor(keys().cursors, binding, {
      sort: asked,
      sorts: site.sorts,
      cursor,
    })
    const focused = focus === undefined ? undefined : readCommentKey(ids, focus)
    const place = nameOfPlace(after)
    const config = include.startsWith('config') ? presentSiteConfig(site, quotas) : undefined
    const withStaff = include.endsWith('staff')
    const included = [config?.version, withStaff]
    const parts = ['listThread', view, sort, place, focus, limits, ...included]
    const variant = variantOf(http, site, parts)
    const position = { view, sort, after, focus: focused, ...limits }
    const read = { site, caller, articleId, ...position, withStaff, atLeast, variant }
    return sendRead(request, reply, async (encoding) => {
      const page = await listThread(context, { ...read, encoding }, present)
      return page ?? absentPage()
    })

    function present(found: ThreadPage) {
      const next =
        found.next && writeSortedCursor(keys().cursors, binding, { sort, after: found.next })
      const { thread } = found
      const staff = withStaff ? presentStaffById(ids, found.staff) : undefined
      const body = {
        thread: presentThread(site, thread),
        items: presentItems(found),
        next_cursor: next,
        ...(config && { config }),
        ...(staff && { staff }),
      }
      // A page that is built between a change of its staff and the next version has a tag of its own.
      const shape = `${thread.state} ${variant} ${JSON.stringify(staff)}`
      return toPage(versionTag(thread.version, shape), next, body)
    }

    function absentPage() {
      const thread = presentAbsentThread(articleId, site)
      const included = { ...(config && { config }), ...(withStaff && { staff: {} }) }
      return toHashedPage(null, { thread, items: [], next_cursor: null, ...included })
    }

    function presentItems(found: ThreadPage) {
      if (found.view === 'tree')
        return presentBranches(ids, found.items, replyCursor(keys().cursors, site.id, sort))
      ids.prepareComments(found.items)
      return found.items.map((comment) => presentComment(ids, comment))
    }
  })
}

const addUpdateThread = (app: Router, { context }: Http): void => {
  app.patch('/sites/:site/articles/:article_id', UPDATE_THREAD, async (request, reply) => {
    const { site, caller, body, params } = request
    assertScope(caller, 'moderate')
    const change = {
      ...readThreadFields(body),
      ...(body.state !== undefined && { state: body.state }),
      ...(body.stays_open !== undefined && { staysOpen: body.stays_open }),
      ...(body.slow_mode_seconds !== undefined && { slowModeSeconds: body.slow_mode_seconds }),
      ...(body.moderation !== undefined && {
        moderation: body.moderation === 'site' ? null : body.moderation,
      }),
    }
    const idempotencyKey = readIdempotencyKey(request)
    const answer = await updateThread(
      context,
      { site, moderator: caller, articleId: params.article_id, change, idempotencyKey },
      (thread) => ({
        status: 200,
        headers: threadVersion(thread.version),
        body: presentModeratedThread(thread),
      }),
    )
    return sendWrite(reply, answer)
  })
}

const addDeleteThread = (app: Router, { context }: Http): void => {
  app.post('/sites/:site/articles/:article_id/deletions', DELETE_THREAD, async (request, reply) => {
    const { site, caller: administrator, body, params } = request
    assertScope(administrator, 'admin')
    const { dry_run: isDryRun, expected_count: expectedCount } = body
    const act = { site, administrator, articleId: params.article_id, isDryRun, expectedCount }
    const counts = await deleteThread(context, act)
    return sendPrivately(reply.code(isDryRun ? 200 : 202), { dry_run: isDryRun, ...counts })
  })
}
