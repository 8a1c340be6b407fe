import type { Draft } from '../facts.ts'
import type { TextMatch } from '../finding.ts'
import { findLinks } from '../links.ts'
import type { PreparedRules as Rules } from '../prepared-policy.ts'
import { createLinkLocator, type RenderedLink } from '../rendering.ts'
import { hasString, type PackedStrings, packSet } from '../words/packed.ts'
import { MAX_TEXT_MATCHES, type RuleFunction, sayCount } from './rule.ts'

/** Finds the listed domain that a host belongs to. */
type FindDomain = (host: string) => string | undefined

type FoundLink = RenderedLink & { readonly isInTitle?: true }

/** The links of the text, and those of the title. */
const linksOf = ({ rendering, suggestedTitle }: Draft): readonly FoundLink[] =>
  suggestedTitle === null
    ? rendering.links
    : [
        ...rendering.links,
        ...findLinks(suggestedTitle).map((link) => ({ ...link, isInTitle: true as const })),
      ]

/** Links to allowed domains count in no rule. */
const createLinkFilter = (allow: PackedStrings) => {
  const findAllowed = createDomainFinder(allow)
  const isAllowed = ({ hosts, pretends }: RenderedLink) =>
    !pretends && hosts.length > 0 && hosts.every((host) => findAllowed(host))
  return (links: readonly FoundLink[]): FoundLink[] => links.filter((link) => !isAllowed(link))
}

export const links = ({ max, says }: Rules['links'], { link_domains }: Rules): RuleFunction => {
  const filter = createLinkFilter(link_domains.allow)
  return (draft) => {
    const found = filter(linksOf(draft))
    if (found.length <= max) return undefined
    const evidence = `it has ${sayCount(found.length, 'link')}, more than ${max}`
    const score = Math.min(90, 40 + 5 * (found.length - max))
    return { says, score, evidence, found: toMatches(draft, found) }
  }
}

export const linksOfNew = (
  { approved, says }: Rules['links_of_new'],
  { link_domains }: Rules,
): RuleFunction => {
  const filter = createLinkFilter(link_domains.allow)
  return (draft, { author }) => {
    const found = author.approved < approved ? filter(linksOf(draft)) : []
    if (found.length === 0) return undefined
    const had = sayCount(author.approved, 'approved comment')
    const evidence = `it has ${sayCount(found.length, 'link')}, and its author ${had}`
    return { says, score: 40, evidence, found: toMatches(draft, found) }
  }
}

/** Finds links to blocked domains, and deceptive links, in the text, in the title and in the author's website. */
export const linkDomains = ({ block, says }: Rules['link_domains']): RuleFunction => {
  const findBlocked = createDomainFinder(block)
  return (draft) => {
    const website = draft.authorUrl ?? ''
    const inText = judgeLinks(findBlocked, linksOf(draft))
    const inWebsite = judgeLinks(findBlocked, findLinks(website))
    const sentences = new Set([...inText, ...inWebsite].map(({ sentence }) => sentence))
    if (sentences.size === 0) return undefined
    const matches = [
      ...toMatches(
        draft,
        inText.map(({ link }) => link),
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

const judgeLinks = (findBlocked: FindDomain, links: readonly FoundLink[]) =>
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

const toMatches = (
  { rendering, suggestedTitle }: Draft,
  links: readonly FoundLink[],
): TextMatch[] => {
  if (links.length === 0) return []
  const locate = createLinkLocator(rendering)
  return links.slice(0, MAX_TEXT_MATCHES).map((link) => {
    const { start, end, isInTitle } = link
    return isInTitle
      ? { text: suggestedTitle!.slice(start, end), field: 'title', start, end }
      : locate(link)
  })
}

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
