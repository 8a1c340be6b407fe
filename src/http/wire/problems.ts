import { type FieldErrors, REFUSALS, Refusal, type RefusalCode } from '../../domain/refusal.ts'

export const STATUS_OF = {
  invalid_request: 400,
  invalid_cursor: 400,
  login_required: 401,
  invalid_token: 401,
  forbidden: 403,
  origin_refused: 403,
  banned: 403,
  member_suspended: 403,
  posting_disabled: 403,
  site_closed: 403,
  voting_disabled: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  decision_conflict: 409,
  move_not_allowed: 409,
  article_has_comments: 409,
  alias_taken: 409,
  thread_closed: 409,
  thread_locked: 409,
  edit_window_over: 409,
  idempotency_in_flight: 409,
  duplicate_comment: 409,
  author_erased: 410,
  comment_redacted: 410,
  email_not_verified: 409,
  edit_conflict: 412,
  body_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  depth_exceeded: 422,
  parent_not_found: 422,
  name_reserved: 422,
  idempotency_key_reused: 422,
  rate_limited: 429,
  site_busy: 429,
  slow_mode: 429,
  headers_too_large: 431,
  unavailable: 503,
} as const satisfies Record<RefusalCode, number>

/** The body of every response with status 400 and above. Source: RFC 9457. */
export const toProblem = (
  code: RefusalCode,
  faults: FieldErrors = {},
  status: number = STATUS_OF[code],
) => {
  const errors = Object.entries(faults).map(([at, detail]) =>
    at === '' || at.startsWith('/') ? { pointer: at, detail } : { parameter: at, detail },
  )
  return {
    type: `urn:afterword:problem:${code}`,
    title: REFUSALS[code],
    status,
    code,
    ...(errors.length > 0 && { errors }),
  }
}

type FrameworkError = Error & {
  code?: string
  statusCode?: number
  validation?: readonly {
    instancePath: string
    message?: string
    params: Record<string, unknown>
  }[]
  validationContext?: string
}

const FRAMEWORK_CODES: Record<string, RefusalCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_TYPE: 'unsupported_media_type',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
  FST_ERR_NOT_FOUND: 'not_found',
  FST_ERR_HANDLER_TIMEOUT: 'unavailable',
}

/** Translates an error of the framework into a refusal. Undefined if the error is a bug. */
export const toRefusal = (error: unknown): Refusal | undefined => {
  if (error instanceof Refusal) return error
  const { code, statusCode = 500, validation, validationContext } = error as FrameworkError
  if (validation)
    return new Refusal('invalid_request', toFaults(validation, validationContext ?? 'body'))
  const known = FRAMEWORK_CODES[code ?? ''] ?? BY_STATUS[statusCode]
  if (known) return new Refusal(known, {}, { cause: error })
  return statusCode < 500 ? new Refusal('invalid_request', {}, { cause: error }) : undefined
}

const BY_STATUS: Record<number, RefusalCode> = {
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  503: 'unavailable',
}

const toFaults = (
  validation: NonNullable<FrameworkError['validation']>,
  context: string,
): FieldErrors =>
  Object.fromEntries(
    validation.map(({ instancePath, message = 'is not valid', params }) => {
      const { missingProperty, additionalProperty } = params
      const path = [instancePath, missingProperty ?? additionalProperty].filter(
        (s) => s !== undefined && s !== '',
      )
      const pointer = path
        .map((part) => (String(part).startsWith('/') ? part : `/${escapePart(String(part))}`))
        .join('')
      const detail = additionalProperty ? 'is not known' : missingProperty ? 'is required' : message
      return [context === 'body' ? pointer : pointer.slice(1), detail]
    }),
  )

/** Escapes a part of a JSON pointer. Source: RFC 6901. */
const escapePart = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1')
