/** Sent with every response, errors included. */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'cross-origin',
  vary: 'Origin',
} as const

/** The response headers that pages of other origins can read. */
export const EXPOSED =
  'date, etag, guest-token, link, location, ratelimit, ratelimit-policy, retry-after, thread-version'

/**
 * Sent with every error that the site's origins do not already read. An error has a code and the names of faulty
 * fields, and nothing of a caller, so that every page may read it: see docs/errors.md.
 */
export const READABLE_BY_ALL = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': EXPOSED,
} as const

export const PROBLEM_TYPE = 'application/problem+json'
