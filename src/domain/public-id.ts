/**
 * Ids as the wire shows them: opaque to callers, never changing. A comment's id names the thread where
 * it was written too, so that finding it is one primary-key read.
 *
 * comment `c<thread>-<comment>` · author `a<id>` · key `k<id>` · decision `d<id>` · batch
 * of them `b<id>` · appeal `p<id>` · entry of the audit `e<id>` · canned reason `r<id>` · note on
 * an author `n<id>` · ban `x<id>`, in base 36.
 */
export type CommentKey = {
  /** Where it is. */
  readonly threadId: number
  readonly id: number
  /** Where it was written, if it has moved since. */
  readonly homeThreadId?: number | null
}

/** The thread that a comment's id names. */
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

/** Undefined for anything that `commentId` would not have written. */
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
