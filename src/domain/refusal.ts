/** Every error code of the API with its title. The list is closed. */
export const REFUSALS = {
  invalid_request: 'The request is not valid.',
  invalid_cursor: 'The cursor does not belong to this list.',
  login_required: 'A credential is required.',
  invalid_token: 'The credential is unknown, expired or revoked.',
  forbidden: 'The credential does not allow this.',
  origin_refused: 'This site does not accept requests from that origin.',
  banned: 'The author is banned.',
  member_suspended: 'The member is suspended.',
  posting_disabled: 'This site does not accept comments.',
  site_closed: 'The site is closed.',
  voting_disabled: 'This site does not accept this vote.',
  not_found: 'Not found.',
  method_not_allowed: 'This address does not have that method.',
  request_timeout: 'The request arrived too slowly.',
  decision_conflict: 'The item changed, or was already decided.',
  move_not_allowed: 'This status change or move is not allowed.',
  article_has_comments: 'That article has comments of its own.',
  alias_taken: 'The id is an alias of another article.',
  thread_closed: 'The thread accepts no new comments.',
  thread_locked: 'The thread is locked.',
  edit_window_over: 'The edit window is over.',
  idempotency_in_flight: 'A request with this Idempotency-Key is still in progress.',
  duplicate_comment: 'This comment was already posted.',
  author_erased: 'The author of the earlier request is erased.',
  comment_redacted: 'The comment is redacted.',
  email_not_verified: 'The site has not verified an e-mail address of the member.',
  edit_conflict: 'The resource changed since it was read.',
  body_too_large: 'The request body is too large.',
  uri_too_long: 'The URL is too long.',
  unsupported_media_type: 'The request body must be application/json.',
  depth_exceeded: 'Replies cannot be nested any deeper.',
  parent_not_found: 'The parent comment does not exist.',
  name_reserved: 'The name belongs to a member or is reserved.',
  idempotency_key_reused: 'This Idempotency-Key was used with another request body.',
  rate_limited: 'Too many requests.',
  site_busy: 'The site has too many expensive requests in progress.',
  slow_mode: 'Slow mode: wait before posting again.',
  headers_too_large: 'The request headers are too large.',
  unavailable: 'The service is temporarily unavailable.',
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
