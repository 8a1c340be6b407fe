import type { TextMatch } from '../finding.ts'
import { findLinks } from '../links.ts'
import type { PreparedRules as Rules } from '../prepared-policy.ts'
import { createLinkLocator, type RenderedLink, type Rendering } from '../rendering.ts'
import { hasString, type PackedStrings, packSet } from '../words/packed.ts'
import { MAX_TEXT_MATCHES, type RuleFunction, sayCount } from './rule.ts'

/** Finds the listed domain that a host belongs to. */
type FindDomain = (host: string) => string | undefined

/** Links to allowed domains count in no rule. */
const createLinkFilter = (allow: PackedStrings) => {
  const findAllowed = createDomainFinder(allow)
  const isAllowed = ({ hosts, pretends }: RenderedLink) =>
    !pretends && hosts.length > 0 && hosts.every((host) => findAllowed(host))
  return (links: readonly RenderedLink[]): RenderedLink[] =>
    links.filter((link) => !isAllowed(link))
}

export const links = ({ max, says }: Rules['links'], { link_domains }: Rules): RuleFunction => {
  const filter = createLinkFilter(link_domains.allow)
  return ({ rendering }) => {
    const found = filter(rendering.links)
    if (found.length <= max) return undefined
    const evidence = `it has ${sayCount(found.length, 'link')}, more than ${max}`
    const score = Math.min(90, 40 + 5 * (found.length - max))
    return { says, score, evidence, found: toMatches(rendering, found) }
  }
}

export const linksOfNew = (
  { approved, says }: Rules['links_of_new'],
  { link_domains }: Rules,
): RuleFunction => {
  const filter = createLinkFilter(link_domains.allow)
  return ({ rendering }, { author }) => {
    const found = author.approved < approved ? filter(rendering.links) : []
    if (found.length === 0) return undefined
    const had = sayCount(author.approved, 'approved comment')
    const evidence = `it has ${sayCount(found.length, 'link')}, and its author ${had}`
    return { says, score: 40, evidence, found: toMatches(rendering, found) }
  }
}

/** Finds links to blocked domains, and deceptive links, in the text and in the author's website. */
export const linkDomains = ({ block, says }: Rules['link_domains']): RuleFunction => {
  const findBlocked = createDomainFinder(block)
  return ({ rendering, authorUrl }) => {
    const website = authorUrl ?? ''
    const inBody = judgeLinks(findBlocked, rendering.links)
    const inWebsite = judgeLinks(findBlocked, findLinks(website))
    const sentences = new Set([...inBody, ...inWebsite].map(({ sentence }) => sentence))
    if (sentences.size === 0) return undefined
    const matches = [
      ...toMatches(
        rendering,
        inBody.map(({ link }) => link),
      ),
      ...inWebsite.map(({ link: { start, end } }): TextMatch => {
        return { text: website.slice(start, end), field: 'url', start, end }
      }),
    ]
    return {
      says,
      score: 80,
      evidence: [...sentences].slice(0, 3).join('; '),
      found: matches.slice(0, MAX_TEXT_MATCHES),
    }
  }
}

const judgeLinks = (findBlocked: FindDomain, links: readonly RenderedLink[]) =>
  links.flatMap((link) => {
    const { hosts, pretends } = link
    const domain = hosts.map(findBlocked).find((found) => found !== undefined)
    if (domain === undefined && pretends === undefined) return []
    const sentence =
      domain === undefined
        ? `a link leads to ${hosts[0]} and pretends to lead to ${pretends}`
        : `a link leads to ${domain}, which is blocked`
    return [{ sentence, link }]
  })

const toMatches = (rendering: Rendering, links: readonly RenderedLink[]): TextMatch[] =>
  links.length === 0 ? [] : links.slice(0, MAX_TEXT_MATCHES).map(createLinkLocator(rendering))

/** The finder looks up a host and all domains above it. */
const createDomainFinder =
  (domains: PackedStrings): FindDomain =>
  (host) => {
    if (domains.ends.length === 0) return undefined
    for (let rest = host; ; rest = rest.slice(rest.indexOf('.') + 1)) {
      if (hasString(domains, rest)) return rest
      if (!rest.includes('.')) return undefined
    }
  }

export const prepareDomains = (written: readonly string[]): PackedStrings =>
  packSet(written.map(toAsciiDomain))

/** Hosts of links are in ASCII too. */
const toAsciiDomain = (written: string): string =>
  URL.parse(`http://${written}/`)?.hostname ?? written.toLowerCase()
