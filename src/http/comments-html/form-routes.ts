import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { isStorable } from '../../domain/comment/text.ts'
import { REFUSALS, Refusal, type RefusalCode } from '../../domain/refusal.ts'
import { isAllowedOrigin, isSiteUrl } from '../../domain/site/site.ts'
import { createTransferCode } from '../../usecases/people/transfer-guest.ts'
import { type Posted, postComment } from '../../usecases/posting/post-comment.ts'
import { getThread } from '../../usecases/reading/list-thread.ts'
import { hashAddress, senderOf, truncateAddress } from '../edge/addresses.ts'
import { type Http, NOBODY } from '../edge/request-context.ts'
import { sendPrivately, type WriteResponse } from '../edge/responses.ts'
import { writerIdentityOf } from '../edge/writer-identity.ts'
import { hashCode, makeCode } from '../transfers/codes.ts'
import { readNewComment } from '../wire/fields.ts'
import { type Html, html } from '../wire/html.ts'
import * as op from '../wire/operation.ts'
import { STATUS_OF, toRefusal } from '../wire/problems.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { addressOf, pageHeaders } from './routes.ts'
import { CommentForm } from './schemas.ts'
import { hourNow, readSigned, readStamp, type Stamp, writeSigned } from './stamps.ts'
import { type Draft, formAddress, writeFields, writeWholePage } from './write-page.ts'

const PAGE = {
  description: 'A page of HTML.',
  content: { 'text/html': { schema: Type.String() } },
} as never

const POST_COMMENT_FORM = op.operation({
  id: 'postCommentForm',
  tag: 'Posting',
  summary: 'Post a comment without JavaScript',
  description:
    'Takes the form of `listThreadAsHtml`, never with a credential, and answers with pages. A published ' +
    'comment returns the reader to the article (303). Where the source of the form is in doubt, a ' +
    'page asks the reader to confirm.',
  params: object(op.articleParams),
  query: op.NO_QUERY,
  body: ref(CommentForm),
  answers: { 200: PAGE, 202: PAGE, 303: { type: 'null', description: 'To the article.' } as never },
  refusals: [
    'login_required',
    'banned',
    'posting_disabled',
    'site_closed',
    'thread_closed',
    'slow_mode',
    'thread_locked',
    'parent_not_found',
    'depth_exceeded',
    'name_reserved',
    'idempotency_in_flight',
    'idempotency_key_reused',
    'author_erased',
    'comment_redacted',
  ],
  credential: 'taken',
  limit: 'create',
})

const MIN_SECONDS = 3
const MAX_SECONDS = 86_400
const MAX_HOURS = 24

/** The values that a confirmation page signs. */
type Confirmation = {
  readonly siteId: number
  readonly articleId: string
  readonly parentId: string | null
  readonly network: string
  readonly mintedAt: number
  readonly key: string
}

export const addCommentFormRoutes = (app: Router, http: Http): void => {
  const path = '/sites/:site/articles/:article_id/comments.form'
  void app.register(async (scope) => {
    readForms(scope as unknown as FastifyInstance)
    ;(scope as unknown as FastifyInstance).setErrorHandler((error, request, reply) =>
      sendFailure(request, reply, error),
    )
    const routes = scope as unknown as Router
    routes.post(path, FORM_OPTIONS, (request, reply) =>
      handleForm(http, request as unknown as FormRequest, reply),
    )
  })
}

const FORM_OPTIONS = {
  ...POST_COMMENT_FORM,
  config: { ...POST_COMMENT_FORM.config, isForm: true },
  schema: { ...POST_COMMENT_FORM.schema, consumes: ['application/x-www-form-urlencoded'] },
}

type FormRequest = FastifyRequest & {
  body: Static<typeof CommentForm>
  params: { article_id: string }
}

/** Accepts forms alone. All other routes refuse them, so that no form of another page reaches them. */
const readForms = (scope: FastifyInstance): void => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => {
      const fields = [...new URLSearchParams(text)]
      const form = Object.fromEntries(fields)
      const isClear = Object.keys(form).length === fields.length
      if (!isClear || fields.flat().some((part) => !isStorable(part)))
        throw new Refusal('invalid_request', { '': 'is not a clear form' })
      return form
    },
  )
}

const handleForm = async (
  http: Http,
  request: FormRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  const source = sourceOf(request)
  if (source === 'foreign') throw new Refusal('origin_refused')
  const { form, confirm, website2 = '' } = request.body
  const confirmation = confirm === undefined ? undefined : readConfirmation(http, request, confirm)
  const draft = draftOf(request)
  if (confirm !== undefined && confirmation?.isRipe)
    return post(http, request, reply, { ...confirmation, draft })
  const stamp = form === undefined ? undefined : readValidStamp(http, request, form)
  const isSure = source === 'own' && stamp && website2 === '' && request.site.checks.length === 0
  if (confirm === undefined && isSure)
    return post(http, request, reply, {
      parentId: stamp.parentId,
      key: keyOf(http, request, form!, draft),
      draft,
    })
  const parentId = confirmation?.parentId ?? stamp?.parentId ?? null
  const again = confirmation ? confirm! : writeConfirmation(http, request, parentId)
  return sendHtml(request, reply, 200, askToConfirm(request, draft, again))
}

/**
 * Says where a form comes from. A browser names the origin of every form, and `null` for a page without one. A page
 * of the service itself is known by its address, or by what the browser says about it.
 */
const sourceOf = ({
  headers,
  site,
  protocol,
  host,
}: FastifyRequest): 'own' | 'foreign' | 'unknown' => {
  const { origin } = headers
  const isSameOrigin = headers['sec-fetch-site'] === 'same-origin'
  if (origin === undefined || origin === 'null') return isSameOrigin ? 'own' : 'unknown'
  const isListed = origin === `${protocol}://${host}` || isAllowedOrigin(site, origin)
  return isListed ? 'own' : 'foreign'
}

const draftOf = ({ body: { name = '', email = '', body = '' } }: FormRequest): Draft => ({
  name,
  email,
  // A browser sends every new line as CR LF, and counts it as one character.
  body: body.replaceAll('\r\n', '\n'),
})

const readValidStamp = (
  { keys }: Http,
  { site, params }: FormRequest,
  text: string,
): Stamp | undefined => {
  const stamp = readStamp(keys().guests, text)
  const isOurs = stamp?.siteId === site.id && stamp.articleId === params.article_id
  return isOurs && hourNow() - stamp.hour <= MAX_HOURS ? stamp : undefined
}

const networkOf = ({ keys }: Http, { ip }: FastifyRequest): string =>
  hashAddress(keys().addresses, ip).toString('base64url')

const writeConfirmation = (http: Http, request: FormRequest, parentId: string | null): string => {
  const { site, params } = request
  const key = randomBytes(16).toString('base64url')
  const parts = [site.id, params.article_id, parentId, networkOf(http, request), Date.now(), key]
  return writeSigned(http.keys().guests, 'confirm', parts)
}

/** Undefined if the page was not for this article and network. It is ripe once a person can have read it. */
const readConfirmation = (http: Http, request: FormRequest, text: string) => {
  const parts = readSigned(http.keys().guests, 'confirm', text)
  if (!parts) return undefined
  const [siteId, articleId, parentId, network, mintedAt, key] = parts as [
    ...[number, string, string | null, string, number, string],
  ]
  const confirmation: Confirmation = { siteId, articleId, parentId, network, mintedAt, key }
  const { site, params } = request
  const isOurs = siteId === site.id && articleId === params.article_id
  const seconds = (Date.now() - mintedAt) / 1000
  if (!isOurs || network !== networkOf(http, request) || seconds > MAX_SECONDS) return undefined
  return { ...confirmation, isRipe: seconds >= MIN_SECONDS }
}

/** All readers of an hour have the same form, so one network sends one text under one name once. */
const keyOf = (http: Http, request: FormRequest, form: string, draft: Draft): string =>
  hash([form, networkOf(http, request), draft]).toString('base64url')

const hash = (parts: readonly unknown[]): Buffer =>
  createHash('sha256').update(JSON.stringify(parts)).digest()

type Intent = { readonly parentId: string | null; readonly key: string; readonly draft: Draft }

const post = async (
  http: Http,
  request: FormRequest,
  reply: FastifyReply,
  { parentId, key, draft }: Intent,
): Promise<FastifyReply> => {
  const { site, ids, ip, params } = request
  const { keys, context } = http
  try {
    const author = { name: draft.name, ...(draft.email !== '' && { email: draft.email }) }
    const comment = readNewComment({ body: draft.body, author })
    const posting = {
      site,
      caller: NOBODY,
      ...comment,
      article: { title: null, url: null, isConfirmed: false },
      articleId: params.article_id,
      parent: parentId === null ? undefined : (ids.readComment(parentId) ?? null),
      network: truncateAddress(ip),
      addressHash: hashAddress(keys().addresses, ip),
      writerIdentity: writerIdentityOf(
        keys().addresses,
        { caller: NOBODY, ip },
        draft.email || null,
      ),
      sender: senderOf(request),
      idempotencyKey: {
        siteId: site.id,
        keyHash: hash(['postCommentForm', params, key]),
        bodyHash: hash([draft]),
      },
    }
    const answer = await whileInFlight(() => postComment(context, posting, presentPosted(request)))
    return await sendPosted(http, request, reply, answer)
  } catch (error) {
    const refusal = toRefusal(error)
    if (!refusal || refusal.code === 'unavailable') throw error
    return sendRefused(http, request, reply, { refusal, draft, parentId })
  }
}

const RETRIES = 10
const RETRY_MS = 200

/** A reader who clicks twice sees the response to the second click alone, so that one waits for the first. */
const whileInFlight = async <T>(act: () => Promise<T>): Promise<T> => {
  for (let tries = 0; ; tries++) {
    try {
      return await act()
    } catch (error) {
      const isInFlight = error instanceof Refusal && error.code === 'idempotency_in_flight'
      if (!isInFlight || tries === RETRIES) throw error
      await sleep(RETRY_MS)
    }
  }
}

/** The stored response. An erasure finds it by the author. */
const presentPosted =
  ({ ids }: FastifyRequest) =>
  ({ comment, version, newGuestId }: Posted): WriteResponse => ({
    status: version === undefined ? 202 : 201,
    headers: {},
    body: { id: ids.writeComment(comment), author_id: ids.write('author', comment.author.id) },
    ...(newGuestId !== undefined && { newGuestId }),
  })

const sendPosted = async (
  { context, keys }: Http,
  request: FormRequest,
  reply: FastifyReply,
  { status, body, newGuestId }: WriteResponse,
): Promise<FastifyReply> => {
  const { id } = body as { id: string }
  const { site, params } = request
  if (status === 201) {
    const read = { site, caller: NOBODY, articleId: params.article_id, atLeast: 0 }
    const home = (await getThread(context, read))?.thread.url
    // A comment of anyone can suggest the address, so it must be the site's, or that of the page with the form.
    const isHome = home && isSiteUrl(site, home, request.headers.origin)
    const location = isHome ? `${home}#${id}` : `${addressOf(request)}?page=1&focus=${id}#${id}`
    return sendPrivately(reply.code(303).header('location', location), undefined)
  }
  const code = makeCode()
  if (newGuestId !== undefined)
    await createTransferCode(context, {
      site,
      caller: { kind: 'guest', authorId: newGuestId },
      codeHash: hashCode(keys().guests, site.id, code),
    })
  const edit =
    newGuestId !== undefined &&
    html`<p>To edit it, open the comments in a browser with JavaScript within ten minutes, and enter this code: <strong>${code}</strong></p>`
  const held = html`<p role="status">Thank you. A moderator will read it first.</p>${edit}`
  return sendHtml(request, reply, 202, held)
}

const SENTENCES: Partial<Record<RefusalCode, string>> = {
  invalid_request: 'The form is not complete, or a text is too long.',
  origin_refused: 'Comments cannot be written on this page.',
  banned: 'You may not write here.',
  rate_limited: 'You have sent too much. Wait a minute and send it again.',
  slow_mode: 'Comments come slowly here. Wait a while and send it again.',
  duplicate_comment: 'You have said this already.',
  depth_exceeded: 'Replies cannot be nested any deeper. Reply further up.',
  parent_not_found: 'The comment that you reply to is no longer here.',
  name_reserved: 'This name belongs to somebody else. Choose another name.',
  login_required: 'You must be logged in to post a comment.',
  thread_closed: 'Comments are closed.',
  posting_disabled: 'Comments are switched off.',
}

const alert = (code: RefusalCode): Html =>
  html`<p role="alert" data-afterword-code="${code}">${SENTENCES[code] ?? REFUSALS[code]}</p>`

type Refused = {
  readonly refusal: Refusal
  readonly draft: Draft
  readonly parentId: string | null
}

/** Shows the refusal with the text, which can be changed and sent again. */
const sendRefused = (
  http: Http,
  request: FormRequest,
  reply: FastifyReply,
  { refusal: { code, retryAfterSeconds }, draft, parentId }: Refused,
): FastifyReply => {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  const confirmation = writeConfirmation(http, request, parentId)
  const main = html`${alert(code)}${writeConfirmForm(request, draft, confirmation)}`
  return sendHtml(request, reply, STATUS_OF[code], main)
}

const askToConfirm = (request: FormRequest, draft: Draft, confirmation: string): Html =>
  html`<p>Read your comment once more, and post it.</p>${writeConfirmForm(request, draft, confirmation)}`

const writeConfirmForm = (request: FormRequest, draft: Draft, confirmation: string): Html =>
  html`<form id="afterword-form" method="post" action="${formAddress(addressOf(request))}">
${writeFields(draft, request.site.emailRequired)}
<input type="hidden" name="confirm" value="${confirmation}"><button>Post</button></form>`

const sendHtml = (
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  main: Html,
): FastifyReply => {
  const canonical = request.site ? `${addressOf(request)}?page=1` : null
  const text = writeWholePage({ title: 'Comments', canonical, main })
  if (request.site) reply.headers(pageHeaders(request.site))
  reply.code(status).type('text/html; charset=utf-8').serializer(String)
  return sendPrivately(reply, text)
}

/** Shows a refusal from before the form was read: the browser still has the text. */
const sendFailure = (
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): FastifyReply => {
  const refusal = toRefusal(error)
  if (!refusal) {
    request.log.error({ err: error, operation: 'postCommentForm' }, 'request failed')
  }
  const code = refusal?.code ?? 'unavailable'
  const seconds = refusal?.retryAfterSeconds ?? (code === 'unavailable' ? 1 : undefined)
  if (seconds !== undefined) reply.header('retry-after', String(seconds))
  const main = html`${alert(code)}<p>Go back in your browser: it still has your text.</p>`
  return sendHtml(request, reply, refusal ? STATUS_OF[code] : 500, main)
}
