import { Parser } from 'htmlparser2'

const BREAKING_TAGS = new Set(['p', 'br', 'pre', 'blockquote', 'ul', 'ol', 'li'])

const clusters = new Intl.Segmenter('en', { granularity: 'grapheme' })

/**
 * The plain text of HTML that `renderMarkdown` made, on one line, at most `maxLength` code points, cut
 * at a word; a word that is too long alone is cut between graphemes. `…` follows where something was
 * cut and is not counted.
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

/** The UTF-16 offset behind the first `count` code points, or the length where there are fewer. */
const offsetOf = (text: string, count: number): number => {
  let offset = 0
  for (let n = 0; n < count && offset < text.length; n++) {
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1
  }
  return offset
}

/** The last place at or before `end` where a word ends, else where a grapheme does. */
const wordEnd = (text: string, end: number): number => {
  const space = text.lastIndexOf(' ', end)
  if (space > 0) return space
  // Whether a grapheme ends at `end` depends on what stands before it and on one character after.
  return clusters.segment(text.slice(0, end + 2)).containing(end)?.index ?? end
}
