import type { FastifyRequest } from 'fastify'
import { assertMayWrite, mayModerate } from '../../domain/people/caller.ts'
import type { PublicIds } from '../../domain/public-id.ts'
import { editableUntil, isSiteUrl, type Site } from '../../domain/site/site.ts'
import { createGuest } from '../../usecases/posting/create-guest.ts'
import {
  type Posted,
  type PostRequest,
  postComment,
  previewComment,
} from '../../usecases/posting/post-comment.ts'
import { senderOf, storedNetworkOf } from '../edge/addresses.ts'
import { readIdempotencyKey } from '../edge/idempotency.ts'
import type { Http } from '../edge/request-context.ts'
import * as answers from '../edge/responses.ts'
import { writerIdentityOf } from '../edge/writer-identity.ts'
import { readBody, readNewComment, readProfile } from '../wire/fields.ts'
import { writeGuestToken } from '../wire/guest-tokens.ts'
import type { Keys } from '../wire/keys.ts'
import * as op from '../wire/operation.ts'
import type { Router } from '../wire/router.ts'
import { object, ref } from '../wire/schema-parts.ts'
import { presentAuthor, presentOwn } from './present.ts'
import {
  Guest,
  GuestProfile,
  NewComment,
  PostedComment,
  Preview,
  PreviewRequest,
} from './schemas.ts'

/** Why a comment can be refused, besides what every write has. */
export const POSTING_REFUSALS = [
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
] as const

const POST_COMMENT = op.operation({
  id: 'postComment',
  tag: 'Posting',
  summary: 'Post a comment or reply',
  description:
    'Creates a comment by a guest, a member or a moderation key and returns it: 201 if published, ' +
    '202 if held for a moderator. A key without `author` posts as one staff author of its own. ' +
    'Without an Idempotency-Key, the same text by the same writer in the same place within 30 ' +
    'seconds returns the first comment again. On a site with external checks, the response can ' +
    'take two seconds longer.',
  params: object(op.articleParams),
  query: op.NO_QUERY,
  body: ref(NewComment),
  answers: { 201: ref(PostedComment), 202: ref(PostedComment) },
  refusals: POSTING_REFUSALS,
  credential: 'taken',
  limit: 'create',
  once: true,
})

const CREATE_GUEST = op.operation({
  id: 'createGuest',
  tag: 'Posting',
  summary: 'Create a guest and its token',
  description:
    'Returns a guest token that can be used before the first comment. Whoever holds the token ' +
    "owns the guest's comments; a lost token cannot be recovered.",
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(GuestProfile),
  answers: { 201: ref(Guest) },
  refusals: ['banned', 'site_closed', 'name_reserved'],
  credential: 'taken',
  limit: 'sign_on',
  once: true,
})

const PREVIEW_COMMENT = op.operation({
  id: 'previewComment',
  tag: 'Reading',
  isAlwaysOpen: true,
  summary: 'Render Markdown without saving it',
  description:
    'Anyone may call it; it returns the sanitised HTML that the text would have as a comment. ' +
    'Nothing is stored and no rules run.',
  params: object(op.siteParams),
  query: op.NO_QUERY,
  body: ref(PreviewRequest),
  answers: { 200: ref(Preview) },
  credential: 'taken',
  limit: 'preview',
})

export const addPostingRoutes = (app: Router, { context, keys }: Http): void => {
  app.post('/sites/:site/articles/:article_id/comments', POST_COMMENT, async (request, reply) => {
    const { author_subject: authorSubject, ...fields } = request.body
    const { ids, site, params } = request
    const post = {
      ...readPost(keys().addresses, request, { ...fields, articleId: params.article_id }),
      authorSubject,
      idempotencyKey: readIdempotencyKey(request),
    }
    const answer = await postComment(context, post, presentPosted(ids, site))
    return answers.sendWrite(reply, withToken(answer, request))
  })

  app.post('/sites/:site/guests', CREATE_GUEST, async (request, reply) => {
    const { site, ids } = request
    assertMayWrite(request.caller)
    const profile = readProfile(request.body)
    const writerIdentity = writerIdentityOf(keys().addresses, request, profile.email)
    const answer = await createGuest(
      context,
      { site, profile, writerIdentity, idempotencyKey: readIdempotencyKey(request) },
      (guest) => ({
        status: 201,
        headers: {},
        body: { author: presentAuthor(ids, guest) },
        newGuestId: guest.id,
      }),
    )
    return answers.sendWrite(reply, withToken(answer, request))
  })

  app.post('/sites/:site/preview', PREVIEW_COMMENT, async (request, reply) =>
    answers.sendPrivately(reply, { body_html: previewComment(readBody(request.body.body)) }),
  )

  const withToken = (
    answer: answers.WriteResponse,
    { site, ids }: { site: Site; ids: PublicIds },
  ): answers.WriteResponse => {
    if (answer.newGuestId === undefined) return answer
    const token = writeGuestToken(keys().guests, { siteId: site.id, ids }, answer.newGuestId)
    return { ...answer, body: { ...answer.body, guest_token: token } }
  }
}

type PostFields = Parameters<typeof readNewComment>[0] & {
  readonly articleId: string
  readonly parent_id?: string | null
}

/** Reads a comment and its sender. */
export const readPost = (
  keys: Keys,
  request: FastifyRequest,
  { articleId, parent_id: parentId, ...fields }: PostFields,
) => {
  const { site, ids, caller } = request
  const comment = readNewComment(fields)
  return {
    site,
    caller,
    ...comment,
    article: nameArticle(comment.article, request),
    articleId,
    parent:
      parentId === undefined || parentId === null ? undefined : (ids.readComment(parentId) ?? null),
    ...storedNetworkOf(keys, request),
    writerIdentity: writerIdentityOf(keys, request, comment.author?.email),
    sender: senderOf(request),
  }
}

type Article = { readonly title: string | null; readonly url: string | null }

/** Staff and keys name the article. Other callers suggest a name together with a URL on one of the site's origins. */
const nameArticle = (
  article: Article,
  { site, caller, headers }: Pick<FastifyRequest, 'site' | 'caller' | 'headers'>,
): PostRequest['article'] => {
  if (mayModerate(caller)) return { ...article, isConfirmed: true }
  const isSuggestion = article.url !== null && isSiteUrl(site, article.url, headers.origin)
  return isSuggestion
    ? { ...article, isConfirmed: false }
    : { title: null, url: null, isConfirmed: false }
}

export const presentPosted =
  (ids: PublicIds, site: Site) =>
  ({ comment, version, newGuestId }: Posted): answers.WriteResponse => {
    const own = presentOwn(ids, comment, editableUntil(site, comment))
    const body = { ...own, now: answers.now() }
    return {
      status: version === undefined ? 202 : 201,
      headers: {
        location: `${ids.service}/v1/sites/${site.slug}/comments/${body.id}`,
        ...answers.threadVersion(version),
      },
      body,
      ...(newGuestId !== undefined && { newGuestId }),
    }
  }
