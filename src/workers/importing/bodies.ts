import { htmlToMarkdown } from '../../domain/importing/html-to-markdown.ts'

/** The Markdown of a text, and the text itself where the two differ. */
export type Body = { readonly body: string; readonly original: string | null }

const bodyOf = (original: string, body: string): Body => ({
  body,
  original: body === original ? null : original,
})

/** A text that is HTML, in which white space folds. */
export const htmlBody = (html: string): Body => bodyOf(html, htmlToMarkdown(html))

/** HTML in which each line break shows, as WordPress stores comments. */
export const brokenHtmlBody = (html: string): Body =>
  bodyOf(html, htmlToMarkdown(html, { keepsLineBreaks: true }))

/** A text that is Markdown already. */
export const markdownBody = (text: string): Body => bodyOf(text, text.trim())

const HAS_HTML =
  /<(?:p|div|br|hr|a|b|i|em|strong|del|s|code|pre|blockquote|ul|ol|li|img|span|h[1-6])(?:\s[^<>]*)?\/?>/i

/** A text that is HTML in some versions of the system, and Markdown in others. */
export const eitherBody = (text: string): Body =>
  HAS_HTML.test(text) ? brokenHtmlBody(text) : markdownBody(text)
