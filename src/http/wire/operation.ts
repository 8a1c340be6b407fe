import { type TSchema, Type } from 'typebox'
import { MAX_ARTICLE_ID } from '../../domain/comment/article-address.ts'
import type { RefusalCode } from '../../domain/refusal.ts'
import type { LimitKind } from '../edge/limits.ts'
import { object } from './schema-parts.ts'

/** The error codes of every operation under `/v1`. */
export const COMMON_ERRORS: readonly RefusalCode[] = [
  'invalid_request',
  'invalid_token',
  'forbidden',
  'origin_refused',
  'member_suspended',
  'not_found',
  'request_timeout',
  'uri_too_long',
  'rate_limited',
  'headers_too_large',
  'unavailable',
]
const ON_WRITES: readonly RefusalCode[] = ['body_too_large', 'unsupported_media_type']
export const ON_ONCE: readonly RefusalCode[] = [
  'idempotency_in_flight',
  'idempotency_key_reused',
  'author_erased',
  'comment_redacted',
]

/**
 * The time-out of a write. A read has no such timer, because everything it waits for has a time-out of
 * its own, and the framework's timer costs 6.5 µs, a tenth of the read of a cached page.
 */
const HANDLER_TIMEOUT_MS = 10_000

type Operation<Params extends TSchema, Query extends TSchema, Body extends TSchema> = {
  readonly id: string
  readonly tag: 'Reading' | 'Posting' | 'Moderation' | 'Administration'
  readonly summary: string
  readonly description: string
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly answers: Record<number, TSchema>
  /** Error codes besides those that every operation has. */
  readonly refusals?: readonly RefusalCode[]
  /** `needed`: the operation refuses requests without a credential. `taken`: it accepts both. */
  readonly credential: 'needed' | 'taken'
  readonly limit: LimitKind
  /** Whether everyone may call an operation with the tag `Reading`, also where only members read. */
  readonly isAlwaysOpen?: boolean
  /** Whether the operation supports an Idempotency-Key. */
  readonly once?: boolean
  /** Whether the sender signs the body instead of sending a credential. */
  readonly signed?: boolean
}

export const NO_QUERY = object({})
/** Routes without a body declare none. */
export const NO_BODY = undefined as unknown as ReturnType<typeof Type.Unknown>

const SECURITY = { needed: [{ bearer: [] }], taken: [{}, { bearer: [] }] }

/** Defines one operation for the router, the validator and the API description. */
export const operation = <P extends TSchema, Q extends TSchema, B extends TSchema>(
  op: Operation<P, Q, B>,
) => {
  const {
    id,
    tag,
    summary,
    description,
    params,
    query,
    body,
    answers,
    refusals = [],
    credential,
  } = op
  const needed = credential === 'needed' ? (['login_required'] as const) : []
  const isWrite = op.limit !== 'read' && op.limit !== 'export'
  const isReading = op.tag === 'Reading' && !op.isAlwaysOpen
  const codes = [
    ...COMMON_ERRORS,
    ...(isWrite ? ON_WRITES : []),
    ...(op.once ? ON_ONCE : []),
    ...needed,
    ...(isReading ? (['login_required'] as const) : []),
    ...refusals,
  ]
  const headers = op.signed ? withSignature : op.once ? withIdempotencyKey : undefined
  return {
    config: {
      operation: id,
      limit: op.limit,
      errors: [...new Set(codes)],
      ...(op.signed && { isSigned: true }),
      ...(isReading && { isReading }),
      ...(credential === 'taken' && !isWrite && !op.signed && { isPublicRead: true }),
    },
    ...(isWrite && { handlerTimeout: HANDLER_TIMEOUT_MS }),
    schema: {
      operationId: id,
      tags: [tag],
      summary,
      description,
      security: SECURITY[credential],
      params,
      querystring: query,
      ...(headers && { headers }),
      ...(body && { body }),
      response: answers,
    },
  }
}

/** Each header is described here and read by `readIdempotencyKey`. */
const withIdempotencyKey = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description:
        '16 to 128 visible ASCII characters, random: who sends the same key and body from the same ' +
        'network gets the same answer. Remembered for 24 hours.',
    }),
  ),
})

/** Without these headers the request has no credential. */
const withSignature = Type.Object({
  'afterword-timestamp': Type.Optional(
    Type.String({ description: 'When it was signed, in seconds since 1970.' }),
  ),
  'afterword-signature': Type.Optional(
    Type.String({
      description:
        "HMAC-SHA-256, in lower-case hex, by the check's secret, over the timestamp, a dot, the path " +
        'that the question called `callback`, a dot, and the body as it is sent.',
    }),
  ),
})

const MAX_VERSION = Number.MAX_SAFE_INTEGER

export const siteParams = { site: Type.String({ description: 'The slug of the site.' }) }
export const articleParams = {
  ...siteParams,
  article_id: Type.String({
    minLength: 1,
    maxLength: MAX_ARTICLE_ID,
    description: "The site's own key for the article: a slug, a number, a path or an address.",
  }),
}
export const commentParams = {
  ...siteParams,
  id: Type.String({ description: 'The id of the comment.' }),
}

export const cursorParam = {
  cursor: Type.Optional(Type.String({ description: '`next_cursor` of the page before.' })),
}
export const limitParam = {
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Items of a page.' }),
}
export const atLeastParam = {
  at_least: Type.Integer({
    minimum: 0,
    maximum: MAX_VERSION,
    default: 0,
    description: 'The `Thread-Version` of a write that the answer must show.',
  }),
}
