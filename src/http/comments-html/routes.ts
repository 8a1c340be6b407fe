import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '../../domain/refusal.ts'
import { isForAllOrigins, type Site } from '../../domain/site/site.ts'
import { listReplies } from '../../usecases/reading/list-replies.ts'
import { listThread } from '../../usecases/reading/list-thread.ts'
import type { Http } from '../edge/request-context.ts'
import { encodingOf, sendPage, toHtmlPage, variantOf } from '../edge/responses.ts'
import { presentBranches, replyCursor } from '../replies/present.ts'
import { sortParam, treeParams } from '../replies/routes.ts'
import { presentSiteConfig } from '../sites/present.ts'
import { presentStaffById } from '../staff/present.ts'
import { presentAbsentThread, presentThread } from '../threads/present.ts'
import { readCommentKey } from '../wire/comment-key.ts'
import { nameOfPlace, readSortedCursor, writeSortedCursor } from '../wire/cursors.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, oneOf } from '../wire/schema-parts.ts'
import { hourNow, writeStamp } from './stamps.ts'
import { type Branch, type Content, policyOf, writeFragment, writeWholePage } from './write-page.ts'

const HTML = {
  description: 'HTML.',
  content: { 'text/html': { schema: Type.String() } },
} as never

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
    ...sortParam,
    ...op.limitParam,
    ...treeParams,
    ...op.cursorParam,
    parent: Type.Optional(Type.String({ description: 'Only replies to this comment.' })),
    focus: Type.Optional(Type.String({ description: 'A comment that the page must show.' })),
    reply: Type.Optional(Type.String({ description: 'The comment that the form replies to.' })),
  }),
  body: op.NO_BODY,
  answers: { 200: HTML },
  refusals: ['invalid_cursor'],
  credential: 'taken',
  limit: 'read',
})

const MINUTE_MS = 60_000

export const addCommentsHtmlRoutes = (app: Router, http: Http): void => {
  const { context, keys, limits: quotas } = http
  const path = '/sites/:site/articles/:article_id/comments.html'
  app.get(path, LIST_THREAD_AS_HTML, async (request, reply) => {
    const { site, ids, caller, query } = request
    const { article_id: articleId } = request.params
    const { page, bare, sort: asked, cursor, parent, focus, reply: replyTo, ...limits } = query
    const isFirst = cursor === undefined && parent === undefined && focus === undefined
    if (focus !== undefined && (cursor !== undefined || parent !== undefined))
      throw new Refusal('invalid_request', { focus: 'goes with the first page only' })
    if (replyTo !== undefined) readCommentKey(ids, replyTo)
    const siteId = site.id
    const binding =
      parent === undefined ? ['thread', siteId, articleId, 'tree'] : ['replies', siteId, parent]
    const sorted = { sort: asked, sorts: site.sorts, cursor }
    const { sort, after } = readSortedCursor(keys().cursors, binding, sorted)
    const address = addressOf(request)
    const hour = hourNow()
    const stamped = { siteId, articleId, parentId: replyTo ?? null, hour }
    const config = presentSiteConfig(site, quotas)
    const variant = variantOf(http, site, [
      'listThreadAsHtml',
      [page, bare, sort, nameOfPlace(after), parent, focus, replyTo, limits],
      [address, hour, config.version],
    ])
    const position = { sort, after, ...limits, atLeast: 0, variant, encoding: encodingOf(request) }
    const read = { site, caller, ...position }
    const found = parent === undefined ? await readRoots() : await readReplies(parent)
    return sendPage(request, reply, found, page ? pageHeaders(site) : HTML_TYPE)

    async function readRoots() {
      const focused = focus === undefined ? undefined : readCommentKey(ids, focus)
      const roots = { articleId, view: 'tree', focus: focused, withStaff: true } as const
      const written = await listThread(context, { ...read, ...roots }, (one) => {
        const staff = presentStaffById(ids, one.staff)
        const next =
          one.next && writeSortedCursor(keys().cursors, binding, { sort, after: one.next })
        const thread = presentThread(site, one.thread)
        const items = one.view === 'tree' ? present(one.items) : []
        return write({ thread, items, next, state: { thread, items, next_cursor: next, staff } })
      })
      if (written) return written
      const thread = presentAbsentThread(articleId, site)
      const state = { thread, items: [], next_cursor: null, staff: {} }
      return write({ thread, items: [], next: null, state })
    }

    async function readReplies(id: string) {
      const comment = readCommentKey(ids, id)
      return listReplies(context, { ...read, comment }, (one) => {
        if (one.thread.articleId !== articleId) throw new Refusal('not_found')
        const next =
          one.next && writeSortedCursor(keys().cursors, binding, { sort, after: one.next })
        const thread = presentThread(site, one.thread)
        return write({ thread, items: present(one.items), next, state: undefined })
      })
    }

    function present(branches: Parameters<typeof presentBranches>[1]): Branch[] {
      return presentBranches(ids, branches, replyCursor(keys().cursors, siteId, sort)) as Branch[]
    }

    function write(read: Pick<Content, 'thread' | 'items' | 'next' | 'state'>) {
      // Whole minutes, so that the nodes of a service write the same page.
      const at = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS).toISOString()
      const main = writeFragment({
        ...read,
        state: isFirst && read.state ? { ...read.state, config, sort, at } : undefined,
        site: site.slug,
        loginUrl: site.loginUrl,
        emailRequired: site.emailRequired,
        stamp: writeStamp(keys().guests, stamped),
        replyTo,
        isBare: bare !== undefined,
        more: parent === undefined ? '' : `&parent=${parent}`,
        address,
      })
      const { title, url: canonical } = read.thread
      const heading = title === null ? 'Comments' : `Comments on “${title}”`
      return toHtmlPage(page ? writeWholePage({ title: heading, canonical, main }) : main.html)
    }
  })
}

/** The page does not know under which address readers reach the service, so each address has pages of its own. */
export const addressOf = ({ protocol, host, site, params }: FastifyRequest): string => {
  const { article_id: articleId } = params as { article_id: string }
  const path = `/v1/sites/${site.slug}/articles/${encodeURIComponent(articleId)}/comments.html`
  return `${protocol}://${host}${path}`
}

const HTML_TYPE = { 'content-type': 'text/html; charset=utf-8' }

/** Without the referrer policy, browsers send the form with the origin `null`. */
export const pageHeaders = (site: Site): Record<string, string> => ({
  ...HTML_TYPE,
  'content-security-policy': policyOf(isForAllOrigins(site) ? ['*'] : site.origins),
  'referrer-policy': 'same-origin',
})
