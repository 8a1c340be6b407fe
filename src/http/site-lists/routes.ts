import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import { ARTICLE_SORTS } from '../../domain/comment/sort.ts'
import type { Page } from '../../domain/page-store.ts'
import { Refusal } from '../../domain/refusal.ts'
import {
  countComments,
  listAppearances,
  listArticles,
  listAuthorComments,
  listRecent,
} from '../../usecases/reading/lists.ts'
import { presentAuthor } from '../comments/present.ts'
import type { Http } from '../edge/request-context.ts'
import { sendPrivately, sendRead, toHashedPage, variantOf } from '../edge/responses.ts'
import { presentCounts, presentThread } from '../threads/present.ts'
import { ArticleIds, ArticlesPage, Counts } from '../threads/schemas.ts'
import { readCursor, writeCursor } from '../wire/cursors.ts'
import { readTime } from '../wire/fields.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, ref } from '../wire/schema-parts.ts'
import { presentRecent } from './present.ts'
import { AuthorPage, RecentPage } from './schemas.ts'

const COUNTS_BODY_BYTES = 1_048_576

const reading = { tag: 'Reading', body: op.NO_BODY, credential: 'taken', limit: 'read' } as const

const LIST_RECENT = op.operation({
  ...reading,
  id: 'listRecent',
  summary: "List a site's recent comments",
  description:
    'Anyone may call it; it returns published comments of all articles, most recently published ' +
    'first. A program that asks again and again uses `sort=visible` and `poll_cursor`: every comment comes ' +
    'once, and again when it becomes visible again. A comment that is hidden meanwhile is absent.',
  params: object(op.siteParams),
  query: object({
    sort: oneOf(['newest', 'visible'], {
      default: 'newest',
      description:
        '`newest`: latest published first. `visible`: in the order in which they became visible, oldest first.',
    }),
    since: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'With `sort=visible` and without a cursor: only what became visible after this time.',
      }),
    ),
    ...op.limitParam,
    ...op.cursorParam,
    article_id: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: MAX_ARTICLE_ID }), {
        maxItems: 100,
        description: 'Only of these articles; may be repeated.',
      }),
    ),
    author_id: Type.Optional(Type.String({ description: 'Only by this author.' })),
    parent: oneOf(['any', 'root', 'reply'], {
      default: 'any',
      description: 'Only roots, or only replies.',
    }),
    excerpt: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: 'Adds a plain-text excerpt of at most this many characters, cut at a word.',
      }),
    ),
  }),
  answers: { 200: ref(RecentPage) },
  refusals: ['invalid_cursor'],
})

const articleIdsParam = Type.Array(Type.String(), {
  minItems: 1,
  maxItems: 250,
  description: 'May be repeated.',
})

const COUNT_COMMENTS = op.operation({
  ...reading,
  id: 'countComments',
  summary: 'Count comments of several articles',
  description:
    'Anyone may call it; it returns counts keyed by article id. Articles without comments are ' +
    'included, with zeros, and so are ids that no article can have.',
  params: object(op.siteParams),
  query: object({ article_id: articleIdsParam }),
  answers: { 200: ref(Counts) },
})

const COUNT_MANY = op.operation({
  ...reading,
  id: 'countCommentsOfMany',
  summary: 'Count comments of many articles',
  description:
    'Like `countComments`, but takes up to 1,000 article ids in the request body. It counts as a ' +
    'read: it changes nothing, although it is a POST.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(ArticleIds),
  answers: { 200: ref(Counts) },
  refusals: ['body_too_large', 'unsupported_media_type'],
})

const LIST_ARTICLES = op.operation({
  ...reading,
  id: 'listArticles',
  summary: 'List articles with comments',
  description:
    'Anyone may call it; it returns articles sorted by latest comment, by number of comments, or ' +
    'by age.',
  params: object(op.siteParams),
  query: object({
    sort: oneOf(ARTICLE_SORTS, { default: 'active', description: 'The order.' }),
    ...op.limitParam,
    ...op.cursorParam,
  }),
  answers: { 200: ref(ArticlesPage) },
  refusals: ['invalid_cursor'],
})

const LIST_AUTHOR_COMMENTS = op.operation({
  ...reading,
  id: 'listAuthorComments',
  summary: "List an author's published comments",
  description:
    'Anyone may call it; it returns published comments, most recent first. An author without ' +
    'published comments returns 404.',
  params: object({
    ...op.siteParams,
    id: Type.String({ description: 'The id of the author.' }),
  }),
  query: object({ ...op.limitParam, ...op.cursorParam }),
  answers: { 200: ref(AuthorPage) },
  refusals: ['invalid_cursor'],
})

export const addSiteListRoutes = (app: Router, http: Http): void => {
  addListRecent(app, http)
  addCountComments(app, http)
  addCountCommentsOfMany(app, http)
  addListArticles(app, http)
  addListAuthorComments(app, http)
}

const addListRecent = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/comments', LIST_RECENT, async (request, reply) => {
    const {
      article_id: articleIds = [],
      author_id: author,
      parent,
      limit,
      excerpt,
      cursor,
      sort,
      since,
    } = request.query
    const { site, ids } = request
    const siteId = site.id
    const isVisible = sort === 'visible'
    const binding = ['recent', siteId, articleIds.toSorted(), author, parent]
    // Cursors of `newest` have no name of a sort, because older releases wrote them without one.
    if (isVisible) binding.push(sort)
    if (since !== undefined && !isVisible)
      throw new Refusal('invalid_request', { since: 'needs sort=visible' })
    const sinceMs = since === undefined ? 0 : Date.parse(readTime('since', since))
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    // A malformed id matches no author.
    const authorId = author === undefined ? undefined : (ids.read('author', author) ?? 0)
    const filter = { siteId, articleIds, authorId, parent, limit }
    const parts = [...binding, after, limit, excerpt, ...(since === undefined ? [] : [sinceMs])]
    return sendList(http, { request, reply, parts }, async () => {
      if (isVisible) {
        const from = after?.[0] ?? sinceMs * 1_000
        const page = await listAppearances(context, { ...filter, after: from })
        const last = [page.last, 0] as const
        const poll = writeCursor(keys().cursors, binding, { sort: '', after: last })
        const next = page.isEnd ? null : poll
        const items = presentRecent(ids, page.items, excerpt)
        return toHashedPage(next, { items, next_cursor: next, poll_cursor: poll })
      }
      const found = await listRecent(context, { ...filter, after })
      const next =
        found.next && writeCursor(keys().cursors, binding, { sort: '', after: found.next })
      const items = presentRecent(ids, found.items, excerpt)
      return toHashedPage(next, { items, next_cursor: next })
    })
  })
}

const addCountComments = (app: Router, http: Http): void => {
  const { context } = http
  app.get('/sites/:site/counts', COUNT_COMMENTS, async (request, reply) => {
    const { site, query } = request
    const { article_id: articleIds } = query
    return sendList(http, { request, reply, parts: ['counts', articleIds] }, async () =>
      toHashedPage(null, presentCounts(await countComments(context, { site, articleIds }))),
    )
  })
}

const addCountCommentsOfMany = (app: Router, { context }: Http): void => {
  app.post(
    '/sites/:site/counts',
    { ...COUNT_MANY, bodyLimit: COUNTS_BODY_BYTES },
    async (request, reply) => {
      const { site, body } = request
      const counts = await countComments(context, { site, articleIds: body.article_ids })
      const bytes = toHashedPage(null, presentCounts(counts)).bytes
      return sendPrivately(reply.type('application/json; charset=utf-8'), bytes)
    },
  )
}

const addListArticles = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/articles', LIST_ARTICLES, async (request, reply) => {
    const { site, query } = request
    const { sort, limit, cursor } = query
    const binding = ['articles', site.id, sort]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const parts = [...binding, after, limit]
    return sendList(http, { request, reply, parts }, async () => {
      const found = await listArticles(context, { site, sort, after, limit })
      const next = found.next && writeCursor(keys().cursors, binding, { sort, after: found.next })
      const items = found.items.map((thread) => presentThread(site, thread))
      return toHashedPage(next, { items, next_cursor: next })
    })
  })
}

const addListAuthorComments = (app: Router, http: Http): void => {
  const { context, keys } = http
  app.get('/sites/:site/authors/:id/comments', LIST_AUTHOR_COMMENTS, async (request, reply) => {
    const { id } = request.params
    const { limit, cursor } = request.query
    const { site, ids } = request
    const authorId = ids.read('author', id)
    if (authorId === undefined) throw new Refusal('not_found')
    const siteId = site.id
    const binding = ['author', siteId, id]
    const after = cursor === undefined ? null : readCursor(keys().cursors, binding, cursor).after
    const parts = [...binding, after, limit]
    return sendList(http, { request, reply, parts }, async () => {
      const found = await listAuthorComments(context, { siteId, authorId, after, limit })
      const next =
        found.next && writeCursor(keys().cursors, binding, { sort: '', after: found.next })
      const items = presentRecent(ids, found.items, undefined)
      const body = { author: presentAuthor(ids, found.author), items, next_cursor: next }
      return toHashedPage(next, body)
    })
  })
}

type ListRequest = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Everything besides the site that shapes the list. */
  readonly parts: readonly unknown[]
}

/** Sends the list of a site, cached until the site changes, at most one second. */
const sendList = (
  http: Http,
  { request, reply, parts }: ListRequest,
  build: () => Promise<Page>,
): Promise<FastifyReply> => {
  const { site } = request
  const name = { site: site.id, variant: variantOf(http, site, parts) }
  const { lists } = http.context
  return sendRead(request, reply, (encoding) => lists.page(name, encoding, build))
}
