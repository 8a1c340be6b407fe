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

/** Allows for different clocks and slow requests; an older request can be a replay. */
const WINDOW_SECONDS = 300

type SignedCheck = Extract<Check, { kind: 'http' }>

/**
 * Asks a check that implements the protocol of this service: it receives JSON, and returns
 * `{ "score": 0.9 }` or `{ "pending": true }`. Rejects any other response.
 */
export const askSignedCheck = async (
  request: GuardedRequest,
  check: SignedCheck,
  input: CheckInput,
): Promise<CheckFact> => {
  const callback = verdictsPath(input.site, check.name)
  const body = JSON.stringify(toWire(input, callback))
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

/** True if the request is signed with the check's secret, for its path, within the last 5 minutes. */
export const isFromSignedCheck = ({ secret }: SignedCheck, signed: Signed): boolean => {
  const { timestamp, signature } = signed
  if (!/^\d{1,12}$/.test(timestamp) || !/^[0-9a-f]{64}$/.test(signature)) return false
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) <= WINDOW_SECONDS
  return isRecent && timingSafeEqual(Buffer.from(signature, 'hex'), sign(secret, signed))
}

/** HMAC-SHA-256 over timestamp, path and body, so that none of them can be changed. */
const sign = (
  secret: string,
  { timestamp, path, body }: Pick<Signed, 'timestamp' | 'path' | 'body'>,
): Buffer => createHmac('sha256', secret).update(`${timestamp}.${path}.`).update(body).digest()

/** Sends only what a check needs: neither the e-mail address nor the IP address of the author. */
const toWire = ({ author, ...input }: CheckInput, callback: string) => ({
  site: input.site,
  comment_id: input.commentId,
  revision: input.revision,
  article_id: input.articleId,
  article_url: input.articleUrl,
  parent_id: input.parentId,
  body: input.body,
  author: {
    kind: author.kind,
    name: author.name,
    url: author.url,
    email_domain: author.email?.split('@').at(-1)?.toLowerCase() ?? null,
  },
  created_at: input.createdAt,
  callback,
})

const readVerdict = (text: string): CheckFact => {
  const answer = parse(text)
  if (typeof answer !== 'object' || answer === null) throw new InvalidResponse('its answer is none')
  if ('pending' in answer && answer.pending === true) return { state: 'asked' }
  const score = 'score' in answer ? answer.score : undefined
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
