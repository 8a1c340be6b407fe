import type { Check, CheckFact, CheckInput } from '../domain/site/check.ts'
import type { GuardedRequest, Received } from './guarded-request.ts'
import { InvalidResponse, MAX_ANSWER_BYTES } from './outcome.ts'

/** Akismet knows spam, and spam that nobody need look at. */
const SPAM_SCORE = 0.9
const DISCARD_SCORE = 1

type Akismet = Extract<Check, { kind: 'akismet' }>
type Method = 'comment-check' | 'submit-spam' | 'submit-ham'

/**
 * Asks Akismet (`comment-check`). Rejects when it says neither yes nor no.
 * Source: https://akismet.com/developers/detailed-docs/comment-check/
 */
export const askAkismet = async (
  request: GuardedRequest,
  check: Akismet,
  question: CheckInput,
): Promise<CheckFact> => {
  const { text, headers } = await call(request, check, { method: 'comment-check', question })
  if (text === 'false') return { state: 'answered', score: 0 }
  if (text !== 'true') throw new InvalidResponse('it says neither true nor false')
  const isBlatant = headers['x-akismet-pro-tip'] === 'discard'
  return { state: 'answered', score: isBlatant ? DISCARD_SCORE : SPAM_SCORE }
}

/** Tells Akismet what a moderator has decided. Rejects when it does not thank for it. */
export const reportToAkismet = async (
  request: GuardedRequest,
  check: Akismet,
  { question, isSpam }: { question: CheckInput; isSpam: boolean },
): Promise<void> => {
  const method = isSpam ? 'submit-spam' : 'submit-ham'
  const { text } = await call(request, check, { method, question })
  if (!text.startsWith('Thanks for making the web a better place'))
    throw new InvalidResponse('it does not take the report')
}

const call = async (
  request: GuardedRequest,
  check: Akismet,
  { method, question }: { method: Method; question: CheckInput },
): Promise<Received> => {
  const answer = await request({
    url: `${check.url.replace(/\/+$/, '')}/${method}`,
    body: new URLSearchParams(toForm(check, question)).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    timeoutMs: check.timeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  })
  const { status, headers } = answer
  if (status !== 200) throw new InvalidResponse(`it answers ${status}`)
  // What is wrong is said in a header, and may say the key: only that it is said is kept.
  const isFault =
    headers['x-akismet-debug-help'] !== undefined || headers['x-akismet-alert-code'] !== undefined
  if (isFault || answer.text === 'invalid')
    throw new InvalidResponse('it does not take the request: look at its key and its site')
  return { ...answer, text: answer.text.trim() }
}

const toForm = (check: Akismet, question: CheckInput): Record<string, string> => {
  const { author } = question
  const known = {
    user_ip: question.ip,
    user_agent: question.userAgent,
    permalink: question.articleUrl,
    comment_author_email: author.email,
    // Only what the author has entered: a member's is its site's.
    comment_author_url: author.kind === 'guest' ? author.url : null,
  }
  const given = Object.entries(known).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  return {
    api_key: check.secret,
    blog: check.siteUrl,
    blog_charset: 'UTF-8',
    comment_type: question.parentId === null ? 'comment' : 'reply',
    comment_author: author.name,
    comment_content: question.body,
    comment_date_gmt: question.createdAt,
    ...Object.fromEntries(given),
    ...(question.revision > 1 && { recheck_reason: 'edit' }),
    ...(check.isTest && { is_test: '1' }),
  }
}
