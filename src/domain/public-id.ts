/**
 * Public ids: opaque to callers, and they never change. A comment's id also names the thread where the
 * comment was posted, so that one primary-key read finds it.
 *
 * comment `c<thread>-<comment>` · author `a<id>` · API key `k<id>` · decision `d<id>` · batch `b<id>` ·
 * appeal `p<id>` · audit log entry `e<id>` · canned reason `r<id>` · author note `n<id>` · ban `x<id>`,
 * numbers in base 36.
 */
export type CommentKey = {
  /** The thread that the comment is in. */
  readonly threadId: number
  readonly id: number
  /** The thread that the comment was posted in, if it moved to another one. */
  readonly homeThreadId?: number | null
}

/** The thread that the comment's public id names. */
export const homeThreadIdOf = ({ threadId, homeThreadId }: CommentKey): number =>
  homeThreadId ?? threadId

export const commentId = (key: CommentKey): string =>
  `c${homeThreadIdOf(key).toString(36)}-${key.id.toString(36)}`
export const authorId = (id: number): string => `a${id.toString(36)}`
export const keyId = (id: number): string => `k${id.toString(36)}`
export const auditId = (id: number): string => `e${id.toString(36)}`
export const appealId = (id: number): string => `p${id.toString(36)}`
export const decisionId = (id: number): string => `d${id.toString(36)}`
export const reasonId = (id: number): string => `r${id.toString(36)}`
export const noteId = (id: number): string => `n${id.toString(36)}`
export const batchId = (id: number): string => `b${id.toString(36)}`
export const banId = (id: number): string => `x${id.toString(36)}`

/** Undefined if the text is not a comment's public id. */
export const readCommentId = (text: string): CommentKey | undefined => {
  const [head, tail, ...rest] = text.split('-')
  if (rest.length > 0 || tail === undefined) return undefined
  const threadId = readId('c', head ?? '')
  const id = readNumber(tail)
  return threadId === undefined || id === undefined ? undefined : { threadId, id }
}

export const readAuthorId = (text: string): number | undefined => readId('a', text)

export const readKeyId = (text: string): number | undefined => readId('k', text)

export const readReasonId = (text: string): number | undefined => readId('r', text)

export const readDecisionId = (text: string): number | undefined => readId('d', text)

export const readBanId = (text: string): number | undefined => readId('x', text)

export const readBatchId = (text: string): number | undefined => readId('b', text)

export const readAppealId = (text: string): number | undefined => readId('p', text)

const readId = (prefix: string, text: string): number | undefined =>
  text.startsWith(prefix) ? readNumber(text.slice(prefix.length)) : undefined

const readNumber = (text: string): number | undefined => {
  if (!/^[1-9a-z][0-9a-z]{0,10}$/.test(text)) return undefined
  const value = Number.parseInt(text, 36)
  return Number.isSafeInteger(value) ? value : undefined
}
