import type { StateInline, Token } from 'markdown-it'
import { quotable } from './text.ts'

export const LINK_SCHEMES = ['http', 'https', 'mailto']
const MAX_LINK_LENGTH = 2_048

const SCHEME_AT_END = /(?<![a-z0-9+])(?:https?|mailto)$/i
const LONGEST_SCHEME = 'mailto'.length
/**
 * A bare URL ends before punctuation that is not ASCII, so that a Chinese sentence can go on without a space.
 * The wide forms of `@` and `.` end no URL, because a browser reads them like the ASCII ones.
 */
const ENDS_URL = /[\s\p{Cc}\p{Z}<>"`]|(?=[^\p{ASCII}＠﹫．｡])\p{P}/u
/** Characters that belong to the sentence if they stand at the end of a bare URL. */
const TRAILING = new Set(".,:;!?'*_~\\([{")
const STAR = 0x2a
const TILDE = 0x7e
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }

const LABEL = String.raw`(?!-)[\p{L}\p{M}\p{N}\p{So}_\-]+(?<!-)`
const HOST = String.raw`(?:${LABEL}(?:\.${LABEL})*|\[[\da-f:.]+\])`
const BARE_URL = new RegExp(
  String.raw`^(?:https?://${HOST}(?::\d{1,5})?(?:[/?#].*)?|mailto:[\w.!#$%&'*+=^{|}~\-]+@${HOST}(?:\?.*)?)$`,
  'iu',
)

/** The canonical form of an allowed link target, or an empty string for any other target. */
export const linkTarget = (target: string): string => {
  const url = target.length > MAX_LINK_LENGTH ? null : URL.parse(target)
  if (!url || !LINK_SCHEMES.includes(url.protocol.slice(0, -1))) return ''
  const href = quotable(url)
  return url.username || url.password || href.length > MAX_LINK_LENGTH ? '' : href
}

type Range = { readonly start: number; readonly end: number }

/** The bare URL that a state refused last. A scheme inside it, as in `https://a..b/https://c`, starts no link. */
const refusedUrls = new WeakMap<StateInline, Range>()

/**
 * Links a URL that stands in the text without any mark: all of it, or none of it. A user name, a host with
 * two dots in a row or an odd port makes it none, because a part would lead to another host.
 */
export const bareUrl = (state: StateInline, silent: boolean): boolean => {
  if (state.src[state.pos] !== ':' || state.linkLevel > 0) return false
  const scheme = schemeBefore(state)
  const start = state.pos - scheme.length
  if (scheme === '' || isInRefused(state, start)) return false
  const end = endOfUrl(state)
  const url = state.src.slice(start, end)
  const href = BARE_URL.test(url) ? linkTarget(url) : ''
  if (href === '') {
    refusedUrls.set(state, { start, end })
    return false
  }
  if (!silent) {
    state.pending = state.pending.slice(0, -scheme.length)
    state.push('link_open', 'a', 1).attrs = [['href', href]]
    state.push('text', '', 0).content = url
    state.push('link_close', 'a', -1)
  }
  state.pos = end
  return true
}

const schemeBefore = ({ src, pos }: StateInline): string => {
  const before = src.slice(Math.max(0, pos - LONGEST_SCHEME - 1), pos)
  return SCHEME_AT_END.exec(before)?.[0] ?? ''
}

const isInRefused = (state: StateInline, pos: number): boolean => {
  const refused = refusedUrls.get(state)
  return refused !== undefined && refused.start < pos && pos < refused.end
}

/** The end of a URL in its sentence. A bracket that nothing opened ends it, and so does a mark that closes emphasis. */
const endOfUrl = (state: StateInline): number => {
  const closers: string[] = []
  const closesEmphasis = closingMarks(state)
  let end = state.pos
  for (; end < state.posMax; end++) {
    const c = state.src[end]!
    if (ENDS_URL.test(c) || closesEmphasis(end)) break
    if (c in CLOSING) closers.push(CLOSING[c]!)
    else if (')]}'.includes(c) && closers.pop() !== c) break
  }
  while (TRAILING.has(state.src[end - 1]!)) end--
  return end
}

/** Finds the places where `*` or `~~` may close emphasis that is open. An `_` inside a URL closes nothing. */
const closingMarks = ({ src, delimiters }: StateInline) => {
  let shortestStars = Infinity
  let hasTildes = false
  for (const { marker, open, length = 1 } of delimiters) {
    if (open && marker === STAR) shortestStars = Math.min(shortestStars, length)
    if (open && marker === TILDE) hasTildes = true
  }
  const stars = shortestStars < Infinity && '*'.repeat(shortestStars)
  return (pos: number): boolean =>
    (stars && src.startsWith(stars, pos)) || (hasTildes && src.startsWith('~~', pos))
}

type InlineRule = (state: StateInline, silent: boolean) => boolean

/** Makes an image a link to it: the link's rule reads all but the `!`. An image without a text shows its URL. */
export const imageAsLink =
  (link: InlineRule): InlineRule =>
  (state, silent) => {
    if (!state.src.startsWith('![', state.pos)) return false
    const start = state.pos
    if (!silent && state.pending) state.pushPending()
    const first = state.tokens.length
    state.pos++
    if (link(state, silent)) {
      if (!silent) presentImage(state, first)
      return true
    }
    // The link's rule would refuse the bracket again, so both characters are text.
    if (!silent) state.pending += '!['
    state.pos = silent ? start : start + 2
    return !silent
  }

const presentImage = (
  { tokens, tokens_meta, linkLevel, Token }: StateInline,
  first: number,
): void => {
  const [open, close] = [tokens[first]!, tokens.at(-1)!]
  if (tokens.length === first + 2) {
    const text = new Token('text', '', 0)
    text.content = String(open.attrGet('href'))
    tokens.splice(-1, 0, text)
    tokens_meta.splice(-1, 0, undefined)
  }
  // Links cannot nest, so an image inside a link is its text only.
  if (linkLevel > 0) for (const token of [open, close]) emptyToken(token)
}

const emptyToken = (token: Token): void => {
  Object.assign(token, { type: 'text', tag: '', nesting: 0, attrs: null })
}
