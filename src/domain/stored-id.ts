import {
  COMMENT_LETTER,
  type CommentKey,
  homeThreadIdOf,
  type IdKind,
  LETTERS,
} from './public-id.ts'

/**
 * Ids as records store them: a letter for the kind, then numbers in base 36. Decisions, the audit log and
 * every mark of who did something contain them. They tell order and number, so no response contains one:
 * `http/wire/stored-ids.ts` turns them into public ids.
 */
export const storedId = (kind: IdKind, id: number): string => LETTERS[kind] + id.toString(36)

export const storedCommentId = (key: CommentKey): string =>
  `${COMMENT_LETTER}${homeThreadIdOf(key).toString(36)}-${key.id.toString(36)}`

/** Undefined if the text is not a stored id of that kind. */
export const readStoredId = (kind: IdKind, text: string): number | undefined =>
  text.startsWith(LETTERS[kind]) ? readNumber(text.slice(1)) : undefined

/** Undefined if the text is not a stored id of a comment. */
export const readStoredCommentId = (text: string): CommentKey | undefined => {
  const [head = '', tail = ''] = text.split('-')
  const threadId = head.startsWith(COMMENT_LETTER) ? readNumber(head.slice(1)) : undefined
  const id = readNumber(tail)
  return threadId === undefined || id === undefined ? undefined : { threadId, id }
}

const readNumber = (digits: string): number | undefined => {
  if (!/^[1-9a-z][0-9a-z]{0,10}$/.test(digits)) return undefined
  const value = Number.parseInt(digits, 36)
  return Number.isSafeInteger(value) ? value : undefined
}
