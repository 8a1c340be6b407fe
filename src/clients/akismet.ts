import type { Check, CheckFact, CheckInput } from '../domain/site/check.ts'
import type { GuardedRequest, Received } from './guarded-request.ts'
import { InvalidResponse, MAX_ANSWER_BYTES } from './outcome.ts'

/** Akismet distinguishes spam from spam that can be discarded unread. */
const SPAM_SCORE = 0.9
const DISCARD_SCORE = 1

type Akismet = Extract<Check, { kind: 'akismet' }>
type Method = 'comment-check' | 'submit-spam' | 'submit-ham'

/**
 * Asks Akismet (`comment-check`). Rejects if the response is neither `true` nor `false`.
 * Source: https://akismet.com/developers/detailed-docs/comment-check/
 */
export const askAkismet = async (
  request: GuardedRequest,
  check: Akismet,
  input: CheckInput,
): Promise<CheckFact> => {
  const { text, headers } = await call(request, check, { method: 'comment-check', input })
  if (text === 'false') return { state: 'answered', score: 0 }
  if (text !== 'true') throw new InvalidResponse('it says neither true nor false')
  const isBlatant = headers['x-akismet-pro-tip'] === 'discard'
  return { state: 'answered', score: isBlatant ? DISCARD_SCORE : SPAM_SCORE }
}

/** Reports a moderator's decision to Akismet. Rejects if Akismet does not confirm it. */
export const reportToAkismet = async (
  request: GuardedRequest,
  check: Akismet,
  { input, isSpam }: { input: CheckInput; isSpam: boolean },
): Promise<void> => {
  const method = isSpam ? 'submit-spam' : 'submit-ham'
  const { text } = await call(request, check, { method, input })
  if (!text.startsWith('Thanks for making the web a better place'))
    throw new InvalidResponse('it does not take the report')
}

const call = async (
  request: GuardedRequest,
  check: Akismet,
  { method, input }: { method: Method; input: CheckInput },
): Promise<Received> => {
  const response = await request({
    url: `${check.url.replace(/\/+$/, '')}/${method}`,
    body: new URLSearchParams(toForm(check, input)).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    timeoutMs: check.timeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  })
  const { status, headers } = response
  if (status !== 200) throw new InvalidResponse(`it answers ${status}`)
  // Akismet explains a fault in a header that can contain the key, so only its presence is used.
  const isFault =
    headers['x-akismet-debug-help'] !== undefined || headers['x-akismet-alert-code'] !== undefined
  if (isFault || response.text === 'invalid')
    throw new InvalidResponse('it does not take the request: look at its key and its site')
  return { ...response, text: response.text.trim() }
}

const toForm = (check: Akismet, input: CheckInput): Record<string, string> => {
  const { author } = input
  const known = {
    user_ip: input.ip,
    user_agent: input.userAgent,
    permalink: input.articleUrl,
    comment_author_email: author.email,
    // Only guests enter a URL themselves; a member's URL comes from the site.
    comment_author_url: author.kind === 'guest' ? author.url : null,
  }
  const given = Object.entries(known).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  return {
    api_key: check.secret,
    blog: check.siteUrl,
    blog_charset: 'UTF-8',
    comment_type: input.parentId === null ? 'comment' : 'reply',
    comment_author: author.name,
    comment_content: input.body,
    comment_date_gmt: input.createdAt,
    ...Object.fromEntries(given),
    ...(input.revision > 1 && { recheck_reason: 'edit' }),
    ...(check.isTest && { is_test: '1' }),
  }
}
