import { createHash, randomBytes } from 'node:crypto'
import { text as readText } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { isStorable } from '../../domain/comment/text.ts'
import { Refusal } from '../../domain/refusal.ts'
import { isAllowedOrigin, isSiteUrl } from '../../domain/site/site.ts'
import { createTransferCode } from '../../usecases/people/transfer-guest.ts'
import { type Posted, postComment } from '../../usecases/posting/post-comment.ts'
import { getThread } from '../../usecases/reading/list-thread.ts'
import { POSTING_REFUSALS, presentPosted, readPost } from '../comments/posting-routes.ts'
import { hashesOfNetwork } from '../edge/addresses.ts'
import { startError } from '../edge/errors.ts'
import { type Http, NOBODY } from '../edge/request-context.ts'
import { MAX_PATH_IN_HEADER, sendPrivately, type WriteResponse } from '../edge/responses.ts'
import { hashesOfCode, makeCode } from '../transfers/codes.ts'
import { type Html, html } from '../wire/html.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref, textOf } from '../wire/schema-parts.ts'
import { addressesOf, langParam, sayError, sendHtml } from './routes.ts'
import { CommentForm } from './schemas.ts'
import { type Language, languageOf } from './sentences.ts'
import { hourNow, readSigned, readStamp, type Stamp, writeSigned } from './stamps.ts'
import { type Draft, writeFields } from './write-page.ts'

const PAGE = textOf('text/html', 'A page of HTML.')

const POST_COMMENT_FORM = op.operation({
  id: 'postCommentForm',
  tag: 'Posting',
  summary: 'Post a comment without JavaScript',
  description:
    'Takes the form of `listThreadAsHtml`, never with a credential, and answers with pages. A published ' +
    'comment returns the reader to the article (303). Where the source of the form is in doubt, a ' +
    'page asks the reader to confirm.',
  params: object(op.articleParams),
  query: object(langParam),
  body: ref(CommentForm),
  answers: { 200: PAGE, 202: PAGE, 303: { type: 'null', description: 'To the article.' } as never },
  refusals: [...POSTING_REFUSALS, ...op.ON_ONCE],
  credential: 'taken',
  limit: 'create',
})

const MIN_SECONDS = 3
const MAX_SECONDS = 86_400
const MAX_HOURS = 24
/** Browsers write a character of the longest comment with up to nine bytes. */
const MAX_FORM_BYTES = 131_072

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
      sendRefused(http, request as FormRequest, reply, error),
    )
    const routes = scope as unknown as Router
    routes.post(path, FORM_OPTIONS, (request, reply) =>
      handleForm(http, request as unknown as FormRequest, reply),
    )
    // Readers who open the address of an answer again come back to the comments.
    routes.get(path, { schema: { hide: true } }, (request, reply) =>
      reply.redirect(addressesOf(request).page, 303),
    )
  })
}

const FORM_OPTIONS = {
  ...POST_COMMENT_FORM,
  bodyLimit: MAX_FORM_BYTES,
  config: { ...POST_COMMENT_FORM.config, isForm: true },
  schema: { ...POST_COMMENT_FORM.schema, consumes: ['application/x-www-form-urlencoded'] },
}

type Form = Static<typeof CommentForm>
type FormRequest = FastifyRequest & {
  body: Form | undefined
  params: { article_id: string }
  query: { lang?: string }
}

const FORM_TYPE = 'application/x-www-form-urlencoded'

/** Accepts forms alone. All other routes refuse them, so that no form of another page reaches them. */
const readForms = (scope: FastifyInstance): void => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(FORM_TYPE, { parseAs: 'string' }, async (_: unknown, text: string) =>
    readForm(text),
  )
}

/** Accepts percent-encoded UTF-8 with different names: a page in another encoding would post other characters. */
const readForm = (text: string): Form => {
  const fields = [...new URLSearchParams(text)]
  const form = Object.fromEntries(fields)
  const isClear = isPercentEncoded(text) && Object.keys(form).length === fields.length
  if (!isClear || fields.flat().some((part) => !isStorable(part)))
    throw new Refusal('invalid_request', { '': 'is not a clear form in UTF-8' })
  return form
}

const isPercentEncoded = (text: string): boolean => {
  try {
    return /^[ -~]*$/.test(text) && decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

const languageOfForm = ({ query, site }: FormRequest): Language =>
  languageOf(query.lang, site?.language)

const handleForm = async (
  http: Http,
  request: FormRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  const source = sourceOf(request)
  if (source === 'foreign') throw new Refusal('origin_refused')
  const { form = '', confirm, website2 = '' } = request.body!
  const draft = draftOf(request.body!)
  const confirmation = confirm === undefined ? undefined : readConfirmation(http, request, confirm)
  if (confirmation?.isRipe)
    return post(http, request, reply, { ...confirmation, draft, isSecret: true })
  const stamp = readValidStamp(http, request, form)
  const isSure = source === 'own' && stamp && website2 === '' && request.site.checks.length === 0
  if (confirm === undefined && isSure)
    return post(http, request, reply, {
      parentId: stamp.parentId,
      key: keyOf(http, request, form, draft),
      draft,
      isSecret: false,
    })
  const parentId = confirmation?.parentId ?? stamp?.parentId ?? null
  const again = confirmation ? confirm! : writeConfirmation(http, request, parentId)
  const language = languageOfForm(request)
  const main = html`<p>${language.t('confirm')}</p>${writeConfirmForm(request, draft, again)}`
  return sendHtml(request, reply, { language, main })
}

/**
 * Says where a form comes from. A browser names the origin of every form, and `null` for a page without one. A page
 * of the service itself is known by its address, or by what the browser says about it.
 */
const sourceOf = (request: FastifyRequest): 'own' | 'foreign' | 'unknown' => {
  const { headers, site } = request
  const { origin } = headers
  const isSameOrigin = headers['sec-fetch-site'] === 'same-origin'
  if (origin === undefined || origin === 'null') return isSameOrigin ? 'own' : 'unknown'
  const isListed = origin === originOf(request) || isAllowedOrigin(site, origin)
  return isListed ? 'own' : 'foreign'
}

/** The origin of the service's own pages. */
const originOf = ({ ids, protocol, host }: FastifyRequest): string =>
  ids.service === '' ? `${protocol}://${host}` : new URL(ids.service).origin

const draftOf = ({ name = '', email = '', body = '' }: Form): Draft => ({
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

/** The first names the network now; an earlier page can name it under an earlier secret. */
const networksOf = ({ keys }: Http, { network }: FastifyRequest): string[] =>
  hashesOfNetwork(keys().addresses, network).map((hash) => hash.toString('base64url'))

const writeConfirmation = (http: Http, request: FormRequest, parentId: string | null): string => {
  const { site, params } = request
  const key = randomBytes(16).toString('base64url')
  const parts = [
    site.id,
    params.article_id,
    parentId,
    networksOf(http, request)[0],
    Date.now(),
    key,
  ]
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
  // A clock that was set back leaves pages ahead of now.
  const seconds = Math.abs(Date.now() - mintedAt) / 1000
  if (!isOurs || !networksOf(http, request).includes(network) || seconds > MAX_SECONDS)
    return undefined
  return { ...confirmation, isRipe: seconds >= MIN_SECONDS }
}

/** All readers of an hour have the same form, so one network sends one text under one name once. */
const keyOf = (http: Http, request: FormRequest, form: string, draft: Draft): string =>
  hash([form, networksOf(http, request)[0], draft]).toString('base64url')

const hash = (parts: readonly unknown[]): Buffer =>
  createHash('sha256').update(JSON.stringify(parts)).digest()

type Intent = {
  readonly parentId: string | null
  readonly draft: Draft
  readonly key: string
  /** Whether only one reader can know the key. Another reader of the network can send the same form again. */
  readonly isSecret: boolean
}

const post = async (
  http: Http,
  request: FormRequest,
  reply: FastifyReply,
  { parentId, key, draft, isSecret }: Intent,
): Promise<FastifyReply> => {
  const { site, ids, params } = request
  const { name, email, body } = draft
  const author = { name, ...(email !== '' && { email }) }
  const fields = { body, author, parent_id: parentId, articleId: params.article_id }
  const posting = {
    ...readPost(http.keys().addresses, request, fields),
    idempotencyKey: {
      siteId: site.id,
      keyHash: hash(['postCommentForm', params, key]),
      bodyHash: hash([draft]),
    },
  }
  let isFirst = false
  const present = (posted: Posted): WriteResponse => {
    isFirst = true
    return presentPosted(ids, site)(posted)
  }
  const answer = await whileInFlight(() => postComment(http.context, posting, present))
  // A code makes its reader the author, so that only the author may get one.
  const guestId = isFirst || isSecret ? answer.newGuestId : undefined
  return sendPosted(http, request, reply, { ...answer, guestId })
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

const sendPosted = async (
  { context, keys }: Http,
  request: FormRequest,
  reply: FastifyReply,
  { status, body, guestId }: WriteResponse & { readonly guestId: number | undefined },
): Promise<FastifyReply> => {
  const { id } = body as { id: string }
  const { site, params } = request
  if (status === 201) {
    const read = { site, caller: NOBODY, articleId: params.article_id, atLeast: 0 }
    const home = (await getThread(context, read))?.thread.url
    // A comment of anyone can suggest the address, so it must be the site's, or that of the page with the form.
    const isHome = home && isSiteUrl(site, home, request.headers.origin)
    const address = isHome ? home : `${locationOf(addressesOf(request).page)}&focus=${id}`
    return sendPrivately(reply.code(303).header('location', `${address}#${id}`), undefined)
  }
  const language = languageOfForm(request)
  const { t } = language
  const code = makeCode()
  if (guestId !== undefined)
    await createTransferCode(context, {
      site,
      caller: { kind: 'guest', authorId: guestId },
      codeHash: hashesOfCode(keys().guests, site.id, code)[0]!,
    })
  const transfer =
    guestId !== undefined &&
    html`<h2>${t('device_code')}</h2><p>${t('device_code_how')} <strong>${code}</strong></p>`
  const main = html`<p role="status">${t('held')}</p>${transfer}`
  return sendHtml(request, reply.code(202), { language, main })
}

/** The page of an article for the header Location; relative to the address of the form if it is long. */
const locationOf = (page: string): string =>
  page.length > MAX_PATH_IN_HEADER ? page.slice(page.lastIndexOf('/') + 1) : page

/** Shows an error with the text, which can be changed and sent again, but not to an unknown site or from a foreign page. */
const sendRefused = async (
  http: Http,
  request: FormRequest,
  reply: FastifyReply,
  error: unknown,
): Promise<FastifyReply> => {
  const { code } = startError(error, request, reply)
  const language = languageOfForm(request)
  const fields = await keptFields(request)
  const draft = draftOf(fields)
  const canRetry = request.site && code !== 'origin_refused'
  const kept = canRetry
    ? writeConfirmForm(
        request,
        draft,
        writeConfirmation(http, request, parentOf(http, request, fields)),
      )
    : draft.body &&
      html`<textarea readonly rows="6" aria-label="${language.t('body')}">\n${draft.body}</textarea>`
  const main = html`${sayError(code, language, request)}${kept}`
  return sendHtml(request, reply, { language, main })
}

/** The fields of the form. An error can come before the service has read them, and a reader must not lose a text. */
const keptFields = async ({ body, raw, headers }: FormRequest): Promise<Form> => {
  if (body) return body
  const isForm = headers['content-type']?.startsWith(FORM_TYPE)
  if (!isForm || raw.readableDidRead || !(Number(headers['content-length']) <= MAX_FORM_BYTES))
    return {}
  return readText(raw)
    .then(readForm)
    .catch(() => ({}))
}

/** The comment that the form replies to. */
const parentOf = (http: Http, request: FormRequest, { form = '', confirm = '' }: Form) =>
  (readConfirmation(http, request, confirm) ?? readValidStamp(http, request, form))?.parentId ??
  null

const writeConfirmForm = (request: FormRequest, draft: Draft, confirmation: string): Html => {
  const language = languageOfForm(request)
  return html`<form id="afterword-form" method="post" accept-charset="utf-8" action="${addressesOf(request).form}">
${writeFields(language, draft, request.site.emailRequired)}
<input type="hidden" name="confirm" value="${confirmation}"><button>${language.t('post')}</button></form>`
}
