import { parseHtml } from './html-blocks.ts'
import { writeMarkdown } from './write-markdown.ts'

type Options = {
  /** Whether a line break of the HTML shows as one, and an empty line ends a paragraph. */
  readonly keepsLineBreaks?: boolean
}

/** No mark of Markdown or HTML: such a text needs no escape, unless its lines begin with a mark. */
const PLAIN = /^[^<&\\`*_~[\]\r\0]*$/
const URL_SCHEME = /(?:https?|mailto):/i
const MARK_AT_START = /(?:^|\n)[\s>+\-\d]|\n\s*$/
const WHITE_SPACE = /[ \t\n\f\r]+/g

/**
 * Turns HTML into the Markdown that renders to the same text, emphasis, links, code, quotes and lists.
 * Headings become strong paragraphs, images become links, and tables become text. Scripts and styles are
 * left out. The work grows with the length of the HTML, however its elements nest.
 */
export const htmlToMarkdown = (html: string, options: Options = {}): string => {
  const keepsLineBreaks = options.keepsLineBreaks === true
  if (PLAIN.test(html) && !URL_SCHEME.test(html)) {
    const text = keepsLineBreaks ? html.trim() : foldSpace(html)
    if (!MARK_AT_START.test(text)) return text
  }
  return writeMarkdown(parseHtml(html, keepsLineBreaks))
}

/** The text of HTML in one line, without any mark. */
export const htmlToText = (html: string): string =>
  /[<&]/.test(html) ? foldSpace(textOf(parseHtml(html, false))) : foldSpace(html)

const foldSpace = (text: string): string => text.replace(WHITE_SPACE, ' ').trim()

const textOf = (blocks: ReturnType<typeof parseHtml>): string =>
  blocks
    .map((block) => {
      if (block.kind === 'paragraph') return block.runs.map(({ text }) => text).join('')
      if (block.kind === 'code') return block.text
      return 'blocks' in block
        ? textOf(block.blocks)
        : block.kind === 'list'
          ? block.items.map(textOf).join(' ')
          : ''
    })
    .join(' ')
