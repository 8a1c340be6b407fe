import { Parser } from 'htmlparser2'
import type { TextMatch } from './finding.ts'
import { findLinks, hostsOf, isSameSite, type Link } from './links.ts'

/** A link of the HTML has an `href`; an address that is plain text has none. */
export type RenderedLink = Link & { readonly href?: string }

/** A comment as readers see it. Places are UTF-16 code units of `text`. */
export type Rendering = {
  /** The source, where evidence is shown if it has the same characters. */
  readonly body: string
  /** The text content of the HTML. */
  readonly text: string
  /** The addresses that the text shows. */
  readonly addresses: readonly Link[]
  /** The links of the HTML, and the addresses outside of them. */
  readonly links: readonly RenderedLink[]
}

type Part = { readonly start: number; readonly end: number; readonly href?: string }

/** Reads HTML from `renderMarkdown`. The links are those that a browser makes of it. */
export const readRendering = (body: string, bodyHtml: string): Rendering => {
  const { text, parts } = splitAtLinks(bodyHtml)
  const addresses: Link[] = []
  const links: RenderedLink[] = []
  for (const part of parts) {
    const shown = findLinks(text.slice(part.start, part.end)).map((link) => ({
      ...link,
      start: part.start + link.start,
      end: part.start + link.end,
    }))
    addresses.push(...shown)
    if (part.href === undefined) links.push(...shown)
    else links.push(toLink(part.href, part, shown))
  }
  return { body, text, addresses, links }
}

/** The text, and its parts inside and outside of links in turn. */
const splitAtLinks = (html: string): { text: string; parts: readonly Part[] } => {
  const parts: Part[] = []
  let text = ''
  let start = 0
  let href: string | undefined
  const endPart = (next: string | undefined): void => {
    if (href !== undefined) parts.push({ start, end: text.length, href })
    else if (text.length > start) parts.push({ start, end: text.length })
    start = text.length
    href = next
  }
  const parser = new Parser({
    onopentag: (tag, attributes) => {
      if (tag === 'a') endPart(attributes.href)
    },
    onclosetag: (tag) => {
      if (tag === 'a') endPart(undefined)
    },
    ontext: (more) => {
      text += more
    },
  })
  parser.end(html)
  endPart(undefined)
  return { text, parts }
}

const toLink = (href: string, { start, end }: Part, shown: readonly Link[]): RenderedLink => {
  const hosts = hostsOf(href)
  const other = shown.find(({ hosts: [host] }) => hosts[0] && !isSameSite(host!, hosts[0]))
  const pretends = shown.find((link) => link.pretends)?.pretends ?? other?.hosts[0]
  return { start, end, hosts, pretends, href }
}

/** The text of a comment and the targets of its links, by which comments are compared. */
export const contentOf = ({ text, links }: Rendering): string =>
  [
    text.trim(),
    ...links.flatMap(({ href, start, end }) =>
      href === undefined || text.slice(start, end) === href ? [] : [href],
    ),
  ].join('\n')

/** Whether the text differs from the source by more than white space. */
export const isMarkedUp = ({ body, text }: Rendering): boolean =>
  body.trim() !== text.trim() && squeeze(body) !== squeeze(text)

/** Single spaces stay, so that little is replaced. */
const squeeze = (text: string): string => text.replace(/(?! \S)\s+/g, ' ').trim()

/**
 * Returns a function that finds places of the text, given in ascending order, in the source: the next place with
 * the same characters. A place that the source writes otherwise stays one of the rendered text.
 */
export const createLocator = ({
  body,
  text,
}: Rendering): ((place: { start: number; end: number }) => TextMatch) => {
  let from = 0
  return ({ start, end }) => {
    const found = text.slice(start, end)
    const at = found === '' ? -1 : body.indexOf(found, from)
    if (at < 0) return { text: found, field: 'body', start, end, reading: 'rendered' }
    from = at + found.length
    return { text: found, field: 'body', start: at, end: from }
  }
}

/** Returns a function that finds links, given in order, in the source: the next address of the host. */
export const createLinkLocator = ({
  body,
  text,
}: Rendering): ((link: RenderedLink) => TextMatch) => {
  const written = findLinks(body)
  let next = 0
  return ({ start, end, hosts }) => {
    const at = written.findIndex((link, n) => n >= next && link.hosts[0] === hosts[0])
    if (at < 0)
      return { text: text.slice(start, end), field: 'body', start, end, reading: 'rendered' }
    next = at + 1
    const place = written[at]!
    return {
      text: body.slice(place.start, place.end),
      field: 'body',
      start: place.start,
      end: place.end,
    }
  }
}
