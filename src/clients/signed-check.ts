import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  type Check,
  type CheckFact,
  type CheckInput,
  type Signed,
  verdictsPath,
} from '../domain/site/check.ts'
import type { GuardedRequest } from './guarded-request.ts'
import { InvalidResponse, MAX_ANSWER_BYTES } from './outcome.ts'

/** Clocks differ, and a request takes its time; what is older may have been overheard. */
const WINDOW_SECONDS = 300

type SignedCheck = Extract<Check, { kind: 'http' }>

/**
 * Asks a service that speaks our own protocol: the question is JSON, and the answer `{ "score": 0.9 }`
 * or `{ "pending": true }`. Rejects when it is anything else.
 */
export const askSignedCheck = async (
  request: GuardedRequest,
  check: SignedCheck,
  question: CheckInput,
): Promise<CheckFact> => {
  const callback = verdictsPath(question.site, check.name)
  const body = JSON.stringify(toWire(question, callback))
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = sign(check.secret, { path: callback, timestamp, body: Buffer.from(body) })
  const { status, text } = await request({
    url: check.url,
    body,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'afterword-timestamp': timestamp,
      'afterword-signature': signature.toString('hex'),
    },
    timeoutMs: check.timeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  })
  if (status !== 200) throw new InvalidResponse(`it answers ${status}`)
  return readVerdict(text)
}

/** Made with the check's secret, for its own place, and not long ago by the clock of this node. */
export const isFromSignedCheck = ({ secret }: SignedCheck, signed: Signed): boolean => {
  const { timestamp, signature } = signed
  if (!/^\d{1,12}$/.test(timestamp) || !/^[0-9a-f]{64}$/.test(signature)) return false
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) <= WINDOW_SECONDS
  return isRecent && timingSafeEqual(Buffer.from(signature, 'hex'), sign(secret, signed))
}

/** HMAC-SHA-256 over time, place and body, so that none of them can be another one. */
const sign = (
  secret: string,
  { timestamp, path, body }: Pick<Signed, 'timestamp' | 'path' | 'body'>,
): Buffer => createHmac('sha256', secret).update(`${timestamp}.${path}.`).update(body).digest()

/** No more than a judgement needs: not the e-mail, not the address. */
const toWire = ({ author, ...question }: CheckInput, callback: string) => ({
  site: question.site,
  comment_id: question.commentId,
  revision: question.revision,
  article_id: question.articleId,
  article_url: question.articleUrl,
  parent_id: question.parentId,
  body: question.body,
  author: {
    kind: author.kind,
    name: author.name,
    url: author.url,
    email_domain: author.email?.split('@').at(-1)?.toLowerCase() ?? null,
  },
  created_at: question.createdAt,
  callback,
})

const readVerdict = (text: string): CheckFact => {
  const answer = parse(text)
  if (typeof answer !== 'object' || answer === null) throw new InvalidResponse('its answer is none')
  if ('pending' in answer && answer.pending === true) return { state: 'asked' }
  const score = 'score' in answer ? answer.score : undefined
  // NaN and infinities are not of JSON, and would fail here too.
  if (typeof score !== 'number' || !(score >= 0 && score <= 1))
    throw new InvalidResponse('its answer has no score from 0 to 1')
  return { state: 'answered', score }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new InvalidResponse('its answer is not JSON', { cause: error })
  }
}
