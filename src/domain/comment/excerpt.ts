import { Parser } from 'htmlparser2'
import { graphemesOf } from './text.ts'

const BREAKING_TAGS = new Set(['p', 'br', 'hr', 'pre', 'blockquote', 'ul', 'ol', 'li'])

/**
 * Returns the plain text of HTML from `renderMarkdown` on one line.
 * The text ends at a word boundary after at most `maxLength` code points; a longer single word ends
 * between graphemes. A shortened text ends with an additional `…`.
 */
export const excerpt = (bodyHtml: string, maxLength: number): string => {
  const text = plainText(bodyHtml)
  const end = offsetOf(text, maxLength)
  if (end === text.length) return text
  return `${text.slice(0, wordEnd(text, end)).trimEnd()}…`
}

const plainText = (html: string): string => {
  const parts: string[] = []
  const breakAround = (tag: string): void => {
    if (BREAKING_TAGS.has(tag)) parts.push(' ')
  }
  const parser = new Parser({
    onopentag: breakAround,
    onclosetag: breakAround,
    ontext: (text) => parts.push(text),
  })
  parser.end(html)
  return parts.join('').replace(/\s+/g, ' ').trim()
}

/** The UTF-16 offset after the first `count` code points, at most the length of the text. */
const offsetOf = (text: string, count: number): number => {
  let offset = 0
  for (let n = 0; n < count && offset < text.length; n++) {
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1
  }
  return offset
}

/** The last word boundary at or before `end`, or the last grapheme boundary if the text is one word. */
const wordEnd = (text: string, end: number): number => {
  const space = text.lastIndexOf(' ', end)
  if (space > 0) return space
  // The segmenter needs the text before `end` and one character after it to find the boundary.
  return graphemesOf(text.slice(0, end + 2)).containing(end)?.index ?? end
}
