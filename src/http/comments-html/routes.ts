import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Place } from '../../domain/comment/place.ts'
import { Refusal, type RefusalCode } from '../../domain/refusal.ts'
import { isForAllOrigins, type Site } from '../../domain/site/site.ts'
import { listReplies } from '../../usecases/reading/list-replies.ts'
import { getThread, listThread } from '../../usecases/reading/list-thread.ts'
import { startError } from '../edge/errors.ts'
import { type Http, NOBODY } from '../edge/request-context.ts'
import { encodingOf, sendPage, toHtmlPage, variantOf } from '../edge/responses.ts'
import { presentBranches, replyCursor } from '../replies/present.ts'
import { sortParam, treeParams } from '../replies/routes.ts'
import { presentSiteConfig } from '../sites/present.ts'
import { presentStaffById } from '../staff/present.ts'
import { presentAbsentThread, presentThread } from '../threads/present.ts'
import { readCommentKey } from '../wire/comment-key.ts'
import { nameOfPlace, readSortedCursor, writeSortedCursor } from '../wire/cursors.ts'
import { type Html, html } from '../wire/html.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf, textOf } from '../wire/schema-parts.ts'
import { type Language, languageOf } from './sentences.ts'
import { hourNow, writeStamp } from './stamps.ts'
import {
  type Addresses,
  type Branch,
  type Content,
  headingOf,
  policyOf,
  writeFragment,
  writeWholePage,
} from './write-page.ts'

/** The language of the sentences, in the address of the pages and of their forms. */
export const langParam = {
  lang: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$',
      description: "The language of the sentences. Omitted or unknown: the site's, or English.",
    }),
  ),
}

const articleParam = (maxLength: number, description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, description }))

const LIST_THREAD_AS_HTML = op.operation({
  id: 'listThreadAsHtml',
  tag: 'Reading',
  summary: "Show an article's comments without JavaScript",
  description:
    'Anyone may call it; it returns HTML to include in the page of the article, or a whole page, ' +
    'with links to the rest and a form for `postCommentForm`. The widget takes such HTML over.',
  params: object(op.articleParams),
  query: object({
    page: Type.Optional(oneOf(['1'], { description: 'A whole page instead of a fragment.' })),
    bare: Type.Optional(oneOf(['1'], { description: 'Without class names.' })),
    avatars: Type.Optional(oneOf(['none'], { description: 'Without pictures.' })),
    ...langParam,
    ...sortParam,
    ...op.limitParam,
    ...treeParams,
    ...op.cursorParam,
    parent: Type.Optional(Type.String({ description: 'Only replies to this comment.' })),
    focus: Type.Optional(Type.String({ description: 'A comment that the page must show.' })),
    reply: Type.Optional(Type.String({ description: 'The comment that the form replies to.' })),
    article_author: articleParam(200, 'For linked data, with the next two.'),
    article_date: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d\\d-\\d\\d(T[0-9:.]+(Z|[+-]\\d\\d:\\d\\d))?$',
        description: 'The day or time of its publication.',
      }),
    ),
    article_text: articleParam(1_000, 'The beginning of the article, or a summary.'),
  }),
  body: op.NO_BODY,
  answers: { 200: textOf('text/html', 'HTML.') },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

const MINUTE_MS = 60_000

/** The routes whose every response is HTML, errors too. */
export const addCommentsHtmlRoutes = (app: Router, http: Http): void => {
  void app.register(async (scope) => {
    const pages = scope as unknown as FastifyInstance
    pages.setErrorHandler((error, request, reply) => sendError(error, request, reply))
    addListThreadAsHtml(scope as unknown as Router, http)
  })
}

const addListThreadAsHtml = (app: Router, http: Http): void => {
  const { context, keys, limits: quotas } = http
  const path = '/sites/:site/articles/:article_id/comments.html'
  app.get(path, LIST_THREAD_AS_HTML, async (request, reply) => {
    const { site, ids, caller, query } = request
    const { article_id: articleId } = request.params
    const { page, bare, avatars, lang, sort: asked, cursor, parent, focus, reply: replyTo } = query
    const { article_author: author, article_date: date, article_text: text } = query
    const limits = { limit: query.limit, depth: query.depth, replies: query.replies }
    const isFirst = cursor === undefined && parent === undefined && focus === undefined
    if (focus !== undefined && (cursor !== undefined || parent !== undefined))
      throw new Refusal('invalid_request', { focus: 'goes with the first page only' })
    const isArticleOdd = page !== undefined || !author || !date || !text
    if ((author ?? date ?? text) !== undefined && isArticleOdd)
      throw new Refusal('invalid_request', {
        article_author: 'goes with a fragment, a date and a text',
      })
    if (replyTo !== undefined) readCommentKey(ids, replyTo)
    const siteId = site.id
    const binding =
      parent === undefined ? ['thread', siteId, articleId, 'tree'] : ['replies', siteId, parent]
    const sorted = { sort: asked, sorts: site.sorts, cursor }
    const { sort, after } = readSortedCursor(keys().cursors, binding, sorted)
    const addresses = addressesOf(request)
    const language = languageOf(lang, site.language)
    const hour = hourNow()
    const stamped = { siteId, articleId, parentId: replyTo ?? null, hour }
    const config = presentSiteConfig(site, quotas)
    const variant = variantOf(http, site, [
      'listThreadAsHtml',
      [page, bare, avatars, sort, nameOfPlace(after), parent, focus, replyTo, limits],
      [addresses, language.lang, author, date, text, hour, config.version],
    ])
    const position = { sort, after, ...limits, atLeast: 0, variant, encoding: encodingOf(request) }
    const read = { site, caller, ...position }
    const found = parent === undefined ? await readRoots() : await readReplies(parent)
    return sendPage(request, reply, found, page ? pageHeaders(site) : FRAGMENT)

    async function readRoots() {
      const focused = focus === undefined ? undefined : readCommentKey(ids, focus)
      const roots = { articleId, view: 'tree', focus: focused, withStaff: true } as const
      const written = await listThread(context, { ...read, ...roots }, (one) => {
        const items = one.view === 'tree' ? present(one.items) : []
        return write({
          thread: presentThread(site, one.thread),
          items,
          next: cursorOf(one.next),
          staff: presentStaffById(ids, one.staff),
        })
      })
      const thread = presentAbsentThread(articleId, site)
      return written ?? write({ thread, items: [], next: null, staff: {} })
    }

    async function readReplies(id: string) {
      const comment = readCommentKey(ids, id)
      const named = await getThread(context, { site, caller: NOBODY, articleId, atLeast: 0 })
      const own = named?.thread.articleId ?? articleId
      return listReplies(context, { ...read, comment }, (one) => {
        if (one.thread.articleId !== own) throw new Refusal('not_found')
        const thread = presentThread(site, one.thread)
        return write({ thread, items: present(one.items), next: cursorOf(one.next), staff: {} })
      })
    }

    function present(branches: Parameters<typeof presentBranches>[1]): Branch[] {
      return presentBranches(ids, branches, replyCursor(keys().cursors, siteId, sort)) as Branch[]
    }

    function cursorOf(next: Place | null): string | null {
      return next && writeSortedCursor(keys().cursors, binding, { sort, after: next })
    }

    function write(read: Pick<Content, 'thread' | 'items' | 'next' | 'staff'>) {
      const { next, ...rest } = read
      // Whole minutes, so that the nodes of a service write the same page.
      const at = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS).toISOString()
      const content: Content = {
        ...read,
        state: isFirst ? { ...rest, next_cursor: next, config, sort, at } : undefined,
        site: site.slug,
        language,
        loginUrl: site.loginUrl,
        emailRequired: site.emailRequired,
        hasVotes: site.voting !== 'off',
        hasAvatars: avatars === undefined,
        article: author && date && text ? { author, date, text } : undefined,
        stamp: writeStamp(keys().guests, stamped),
        replyTo,
        isBare: bare !== undefined,
        more: parent === undefined ? '' : `&parent=${parent}`,
        addresses,
      }
      const main = writeFragment(content)
      const canonical = read.thread.url
      const title = headingOf(content)
      return toHtmlPage(page ? writeWholePage({ language, title, canonical, main }) : main.html)
    }
  })
}

/** Without a public address, each address under which readers reach the service has pages of its own. */
export const addressesOf = (request: FastifyRequest): Addresses => {
  const { site, ids, protocol, host, params, query } = request
  const { article_id: articleId } = params as { article_id: string }
  const { lang } = query as { lang?: string }
  const service = ids.service || `${protocol}://${host}`
  const path = `/v1/sites/${site.slug}/articles/${encodeURIComponent(articleId)}`
  const spoken = lang === undefined ? '' : `lang=${encodeURIComponent(lang)}`
  return {
    service,
    page: `${service}${path}/comments.html?page=1${spoken && `&${spoken}`}`,
    form: `${service}${path}/comments.form${spoken && `?${spoken}`}`,
  }
}

const HTML_TYPE = { 'content-type': 'text/html; charset=utf-8' }
/** A fragment belongs to the page that includes it. */
const FRAGMENT = { ...HTML_TYPE, 'x-robots-tag': 'noindex' }

/** Without the referrer policy, browsers send the form with the origin `null`. */
const pageHeaders = (site: Site): Record<string, string> => ({
  ...HTML_TYPE,
  'content-security-policy': policyOf(isForAllOrigins(site) ? ['*'] : site.origins),
  'referrer-policy': 'same-origin',
})

/** Sends a page that no cache keeps. */
export const sendHtml = (
  request: FastifyRequest,
  reply: FastifyReply,
  {
    language,
    title = language.t('write'),
    main,
  }: { language: Language; title?: string; main: Html },
): FastifyReply => {
  const canonical = request.site ? addressesOf(request).page : null
  const text = writeWholePage({ language, title, canonical, main })
  reply.headers(request.site ? pageHeaders(request.site) : HTML_TYPE)
  return reply.header('cache-control', 'private, no-store').serializer(String).send(text)
}

/** Says an error in the words of a reader. A program reads its code. */
export const sayError = (code: RefusalCode, { t }: Language, request: FastifyRequest): Html => {
  const { focus, parent, reply } = request.query as Record<string, unknown>
  const isGone = code === 'not_found' && (focus ?? parent ?? reply) !== undefined
  const sentence = isGone ? t('gone_target') : t(`error.${code}`)
  return html`<p role="alert" data-afterword-code="${code}">${sentence}</p>`
}

const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const { code } = startError(error, request, reply)
  const { lang, page } = request.query as Record<string, unknown>
  const language = languageOf(lang, request.site?.language)
  const main = sayError(code, language, request)
  const title = language.t('cannot_show')
  if (page !== undefined) return sendHtml(request, reply, { language, title, main })
  return reply.headers(HTML_TYPE).serializer(String).send(main.html)
}
