/** A URL that needs no escape, because the renderer links it exactly so. */
const PLAIN_URL =
  /^(?:https?:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{2,4})?(?:[/?#][\w\-./%?=#&+@:,;$!]*)?|mailto:[a-z0-9][\w.+-]*@[a-z0-9][a-z0-9.-]*)$/i
const SCHEME = /(?<![a-z0-9+])(?:https?|mailto):/gi

/** Escapes the marks of a text. URLs that the renderer links stay as they are, but not inside a link. */
export const escapeWithUrls = (text: string, isInLink: boolean): string => {
  if (!text.includes(':')) return escapeMarks(text)
  const pieces: string[] = []
  let at = 0
  for (const { index } of text.matchAll(SCHEME)) {
    if (index < at) continue
    const candidate = /^\S{1,2100}/.exec(text.slice(index, index + 2_100))![0]
    const url = isInLink ? '' : plainUrlOf(candidate)
    pieces.push(escapeMarks(text.slice(at, index)))
    if (url !== '') {
      pieces.push(url)
      at = index + url.length
    } else {
      const colon = text.indexOf(':', index)
      pieces.push(text.slice(index, colon), '\\:')
      at = colon + 1
    }
  }
  pieces.push(escapeMarks(text.slice(at)))
  return pieces.join('')
}

/** The URL at the start of a text if the renderer links exactly it and no escape is needed; else empty. */
const plainUrlOf = (candidate: string): string => {
  const whole = /^[\w\-./%?=#&+@:,;$!]*/.exec(candidate)![0]
  const url = whole.replace(/[.,:;!?_]+$/, '')
  const after = candidate.slice(url.length)
  const isAtEnd = after === '' || /^[.,:;!?)\]]+$/.test(after) || /^[<"]/.test(after)
  return isAtEnd && url.length < 2_000 && PLAIN_URL.test(url) && URL.canParse(url) ? url : ''
}

const escapeMarks = (text: string): string =>
  text
    .replace(/[\\`*[\]]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
    .replace(/~(?=~)|(?<=~)~/g, '\\~')
    .replace(/<(?=[a-z!/?]|$)/gi, '\\<')
    .replace(/&(?=#|[a-z])/gi, '\\&')

/** Escapes what would begin a quote, a list or a rule. */
export const escapeLineStart = (text: string): string =>
  text
    .replace(/^>/, '\\>')
    .replace(/^[-+](?=\s|$|-)/, '\\$&')
    .replace(/^(\d{1,9})([.)])(?=\s|$)/, '$1\\$2')
