import MarkdownIt, { type MarkdownIt as Parser, type StateInline } from 'markdown-it'
import cjkFriendly from 'markdown-it-cjk-friendly'
import sanitizeHtml from 'sanitize-html'
import { bareUrl, imageAsLink, LINK_SCHEMES, linkTarget } from './links.ts'

/** Increase it whenever the same source renders to different HTML. Stored HTML keeps its version. */
export const RENDERER_VERSION = 3

const LINK_REL = 'nofollow ugc noopener noreferrer'
/** Quotes and lists below this level become plain paragraphs; markdown-it would drop their text. */
const MAX_BLOCK_LEVEL = 20
/** Blocks nest at most 23 levels deep. The other levels are for emphasis, which markdown-it does not limit. */
const MAX_TAG_DEPTH = 40
const LANGUAGE_CLASS = /^language-[A-Za-z0-9+#._-]{1,32}$/
const LESS_THAN = 0x3c

/**
 * Raw HTML, headings and tables stay plain text. So do reference links: a source of 10,000 characters that
 * repeats one long target 1,000 times would render to megabytes.
 */
const BLOCK_RULES = ['blockquote', 'code', 'fence', 'hr', 'list', 'paragraph']
const INLINE_RULES = [
  'autolink',
  'backticks',
  'emphasis',
  'entity',
  'escape',
  'link',
  'newline',
  'strikethrough',
  'text',
]

/**
 * Renders a comment's Markdown to HTML with these elements only:
 * p br hr em strong del code pre blockquote ul ol li a.
 * Only absolute http, https and mailto URLs become links. Never throws.
 */
export const renderMarkdown = (source: string): string => {
  const html = parser.render(source)
  return PLAIN.test(html) ? html : sanitizeHtml(html, SANITIZER)
}

/**
 * Paragraphs and line breaks without anything that the sanitizer would change. Most comments are plain. Each call of
 * the sanitizer creates a class, and V8 keeps what the class refers to until a collection of the old generation.
 */
const PLAIN = /^(?:<p>(?:[^<>&]|<br \/>)*<\/p>\n)+$/

const withLinkTarget = (tagName: string, { href = '' }: sanitizeHtml.Attributes) => ({
  tagName,
  attribs: { href: linkTarget(href), rel: LINK_REL },
})

const withStart = (tagName: string, { start = '' }: sanitizeHtml.Attributes) => ({
  tagName,
  attribs: /^\d{1,9}$/.test(start) ? { start } : ({} as sanitizeHtml.Attributes),
})

/** Keeps the language of a fence, such as `js` or `c++`, and nothing else that follows the fence. */
const withLanguage = (tagName: string, { class: name = '' }: sanitizeHtml.Attributes) => ({
  tagName,
  attribs: LANGUAGE_CLASS.test(name) ? { class: name } : ({} as sanitizeHtml.Attributes),
})

export const SANITIZER: sanitizeHtml.IOptions = {
  allowedTags: 'p br hr em strong del code pre blockquote ul ol li a'.split(' '),
  allowedAttributes: { a: ['href', 'rel'], code: ['class'], ol: ['start'] },
  allowedSchemes: LINK_SCHEMES,
  allowProtocolRelative: false,
  disallowedTagsMode: 'discard',
  nonTextTags: (
    'script style textarea option iframe title ' + 'xmp listing plaintext noembed noframes noscript'
  ).split(' '),
  nestingLimit: MAX_TAG_DEPTH,
  transformTags: { a: withLinkTarget, code: withLanguage, ol: withStart },
  exclusiveFilter: ({ tag, attribs }) => (tag === 'a' && !attribs.href ? 'excludeTag' : false),
}

const createParser = (): Parser => {
  const md = new MarkdownIt('zero', { breaks: true, xhtmlOut: true, maxNesting: 100 })
  md.block.ruler.enableOnly(BLOCK_RULES)
  const link = onlyInlineRule(md, 'link')
  md.inline.ruler.enableOnly(INLINE_RULES)
  md.inline.ruler2.enableOnly(['balance_pairs', 'strikethrough', 'emphasis', 'fragments_join'])
  // Chinese and Japanese have no spaces round a mark: `**注意：**请看`.
  md.use(cjkFriendly)
  md.normalizeLink = linkTarget
  md.normalizeLinkText = (text) => text
  md.validateLink = (target) => target !== ''
  md.renderer.rules.s_open = () => '<del>'
  md.renderer.rules.s_close = () => '</del>'
  limitBlockLevel(md)
  md.inline.ruler.after('text', 'bare_url', bareUrl)
  md.inline.ruler.before('link', 'image_as_link', imageAsLink(link))
  md.inline.ruler.before('autolink', 'no_link_in_link', lessThanInLink)
  return md
}

const onlyInlineRule = (md: Parser, name: string) => {
  md.inline.ruler.enableOnly([name])
  return md.inline.ruler.getRules('')[0]!
}

const limitBlockLevel = (md: Parser): void => {
  const paragraph = md.block.ruler.getRules('').at(-1)!
  md.block.ruler.before('code', 'too_deep', (state, startLine, endLine, silent) =>
    state.level >= MAX_BLOCK_LEVEL ? paragraph(state, startLine, endLine, silent) : false,
  )
}

/** A `<` inside a link's text never starts another link, because HTML links cannot nest. */
const lessThanInLink = (state: StateInline, silent: boolean): boolean => {
  if (state.linkLevel === 0 || state.src.charCodeAt(state.pos) !== LESS_THAN) return false
  if (!silent) state.pending += '<'
  state.pos++
  return true
}

const parser = createParser()
