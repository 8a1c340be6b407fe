import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { assertScope } from '../../domain/people/caller.ts'
import { createAlias, deleteAlias, listAliases } from '../../usecases/moving/aliases.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately } from '../edge/responses.ts'
import { readIdCursor, writeIdCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { NOTHING, object, ref } from '../wire/schema-parts.ts'
import { Alias, AliasPage, NewAlias } from './schemas.ts'

const administering = {
  tag: 'Administration',
  credential: 'needed',
  query: op.NO_QUERY,
  limit: 'write',
} as const

const LIST_ALIASES = op.operation({
  id: 'listAliases',
  tag: 'Administration',
  summary: 'List the aliases of an article',
  description: 'Administrators may list the further ids of an article.',
  params: object(op.articleParams),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  body: op.NO_BODY,
  answers: { 200: ref(AliasPage) },
  refusals: ['invalid_cursor'],
  credential: 'needed',
  limit: 'read',
})

const CREATE_ALIAS = op.operation({
  ...administering,
  id: 'createAlias',
  summary: 'Give an article another id',
  description:
    'Administrators may give an article up to 1,000 further ids. Reading and writing by an alias ' +
    'reads and writes the thread of the article. An alias that exists already returns 200. An id whose thread has ' +
    'comments is refused (`article_has_comments`): merge it first.',
  params: object(op.articleParams),
  body: ref(NewAlias),
  answers: { 200: ref(Alias), 201: ref(Alias) },
  refusals: ['article_has_comments', 'alias_taken', 'move_not_allowed'],
})

const DELETE_ALIAS = op.operation({
  ...administering,
  id: 'deleteAlias',
  summary: 'Delete an alias of an article',
  description:
    'Administrators may end an alias. Its id is an article without comments from then on.',
  params: object({
    ...op.articleParams,
    alias: Type.String({ minLength: 1, maxLength: MAX_ARTICLE_ID, description: 'The further id.' }),
  }),
  body: op.NO_BODY,
  answers: { 204: NOTHING },
})

const PATH = '/sites/:site/articles/:article_id/aliases'

export const addAliasRoutes = (app: Router, { context, keys }: Http): void => {
  app.get(PATH, LIST_ALIASES, async (request, reply) => {
    assertScope(request.caller, 'admin')
    const { site, params, query } = request
    const { article_id: articleId } = params
    const binding = ['aliases', site.id, articleId]
    const afterId = readIdCursor(keys().cursors, binding, query.cursor) ?? 0
    const found = await listAliases(context, { site, articleId, afterId, limit: query.limit })
    return sendPrivately(reply, {
      items: found.items.map((alias) => presentAlias(alias.articleId, found.articleId)),
      next_cursor: writeIdCursor(keys().cursors, binding, found.nextId),
    })
  })

  app.post(PATH, CREATE_ALIAS, async (request, reply) => {
    const { site, caller: administrator, params, body } = request
    assertScope(administrator, 'admin')
    const { article_id: alias } = body
    const act = { site, administrator, articleId: params.article_id, alias }
    const { isNew, articleId } = await createAlias(context, act)
    return sendPrivately(reply.code(isNew ? 201 : 200), presentAlias(alias, articleId))
  })

  app.delete(`${PATH}/:alias`, DELETE_ALIAS, async (request, reply) => {
    const { site, caller: administrator, params } = request
    assertScope(administrator, 'admin')
    const { article_id: articleId, alias } = params
    await deleteAlias(context, { site, administrator, articleId, alias })
    return sendPrivately(reply.code(204), null)
  })
}

const presentAlias = (alias: string, articleId: string) => ({
  article_id: alias,
  alias_of: articleId,
})
