/** Every error code of the API with its title. The list is closed. */
export const REFUSALS = {
  invalid_request: 'The request is not valid.',
  invalid_cursor: 'The cursor does not belong to this list.',
  login_required: 'This needs a credential.',
  invalid_token: 'The credential is unknown, expired or revoked.',
  forbidden: 'The credential does not allow this.',
  origin_refused: 'This site does not accept writes from that origin.',
  banned: 'The author may not write here.',
  posting_disabled: 'This site does not accept comments.',
  not_found: 'There is no such thing here.',
  decision_conflict: 'The comment no longer has the status that was seen.',
  move_not_allowed: 'A comment cannot go from where it is to there.',
  thread_closed: 'The thread takes no new comments.',
  thread_locked: 'The thread is locked.',
  edit_window_over: 'The time for editing is over.',
  idempotency_in_flight: 'A request with this Idempotency-Key is still being answered.',
  duplicate_comment: 'This comment has been posted already.',
  edit_conflict: 'The comment has changed since it was read.',
  body_too_large: 'The request body is too large.',
  uri_too_long: 'The address is too long.',
  unsupported_media_type: 'The request body must be application/json.',
  depth_exceeded: 'Replies cannot be nested any deeper here.',
  parent_not_found: 'The comment to reply to does not exist.',
  idempotency_key_reused: 'This Idempotency-Key was used with another request body.',
  rate_limited: 'Too many requests.',
  slow_mode: 'Please wait before posting here again.',
  headers_too_large: 'The request headers are too large.',
  unavailable: 'The service cannot answer right now.',
} as const

export type RefusalCode = keyof typeof REFUSALS

/** Problems by field: the JSON pointer of a body's field ('' for the whole body) or a parameter's name. */
export type FieldErrors = Readonly<Record<string, string>>

/** An expected error with a code. Every other exception is a bug or an outage. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly faults: FieldErrors
  /** How long the caller should wait before another attempt. Undefined if unknown. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: RefusalCode,
    faults: FieldErrors = {},
    options: ErrorOptions & { readonly retryAfterSeconds?: number } = {},
  ) {
    super(REFUSALS[code], options)
    this.code = code
    this.faults = faults
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
