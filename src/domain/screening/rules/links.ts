import type { TextMatch } from '../finding.ts'
import { findLinks, type Link } from '../links.ts'
import type { PreparedRules as Rules } from '../prepared-policy.ts'
import { hasString, type PackedStrings, packSet } from '../words/packed.ts'
import { MAX_TEXT_MATCHES, type RuleFunction, sayCount } from './rule.ts'

/** Finds the listed domain that a host belongs to. */
type FindDomain = (host: string) => string | undefined

/** Links to allowed domains count in no rule. */
const createLinkFilter = (allow: PackedStrings) => {
  const findAllowed = createDomainFinder(allow)
  return (links: readonly Link[]): Link[] =>
    links.filter(({ hosts, pretends }) => pretends || !hosts.every((host) => findAllowed(host)))
}

export const links = ({ max, says }: Rules['links'], { link_domains }: Rules): RuleFunction => {
  const filter = createLinkFilter(link_domains.allow)
  return ({ body }, _facts, draftLinks) => {
    const found = filter(draftLinks())
    if (found.length <= max) return undefined
    const evidence = `it has ${sayCount(found.length, 'link')}, more than ${max}`
    const score = Math.min(90, 40 + 5 * (found.length - max))
    return { says, score, evidence, found: toMatches(body, found) }
  }
}

export const linksOfNew = (
  { approved, says }: Rules['links_of_new'],
  { link_domains }: Rules,
): RuleFunction => {
  const filter = createLinkFilter(link_domains.allow)
  return ({ body }, { author }, draftLinks) => {
    const found = author.approved < approved ? filter(draftLinks()) : []
    if (found.length === 0) return undefined
    const had = sayCount(author.approved, 'approved comment')
    const evidence = `it has ${sayCount(found.length, 'link')}, and its author ${had}`
    return { says, score: 40, evidence, found: toMatches(body, found) }
  }
}

/** Finds links to blocked domains, and deceptive links, in the text and in the author's website. */
export const linkDomains = ({ block, says }: Rules['link_domains']): RuleFunction => {
  const findBlocked = createDomainFinder(block)
  return ({ body, authorUrl }, _facts, draftLinks) => {
    const website = authorUrl ?? ''
    const findings = [
      ...judgeLinks(findBlocked, draftLinks(), { field: 'body', text: body }),
      ...judgeLinks(findBlocked, findLinks(website), { field: 'url', text: website }),
    ]
    if (findings.length === 0) return undefined
    const sentences = [...new Set(findings.map(({ sentence }) => sentence))]
    return {
      says,
      score: 80,
      evidence: sentences.slice(0, 3).join('; '),
      found: findings.slice(0, MAX_TEXT_MATCHES).map(({ match }) => match),
    }
  }
}

type Field = { readonly field: TextMatch['field']; readonly text: string }

const judgeLinks = (findBlocked: FindDomain, links: readonly Link[], { field, text }: Field) =>
  links.flatMap((link) => {
    const { hosts, pretends } = link
    const domain = hosts.map(findBlocked).find((found) => found !== undefined)
    if (domain === undefined && pretends === undefined) return []
    const sentence =
      domain === undefined
        ? `a link leads to ${hosts[0]} and pretends to lead to ${pretends}`
        : `a link leads to ${domain}, which is blocked`
    return [{ sentence, match: toMatch(text, link, field) }]
  })

const toMatches = (body: string, all: readonly Link[]): TextMatch[] =>
  all.slice(0, MAX_TEXT_MATCHES).map((link) => toMatch(body, link, 'body'))

const toMatch = (text: string, { start, end }: Link, field: TextMatch['field']): TextMatch => ({
  text: text.slice(start, end),
  field,
  start,
  end,
})

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
