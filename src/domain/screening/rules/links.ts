import type { TextMatch } from '../finding.ts'
import { findLinks, type Link } from '../links.ts'
import type { Policy } from '../policy.ts'
import { MAX_TEXT_MATCHES, type RuleFunction, sayCount } from './rule.ts'

type Rules = Policy['rules']
type Domains = { readonly has: (host: string) => string | undefined }

/** Links to domains that are allowed count in no rule. */
const countedIn = (allow: readonly string[]) => {
  const allowed = domainsOf(allow)
  return (links: readonly Link[]): Link[] =>
    links.filter(({ hosts, pretends }) => pretends || !hosts.every((host) => allowed.has(host)))
}

export const links = ({ max, says }: Rules['links'], { link_domains }: Rules): RuleFunction => {
  const counted = countedIn(link_domains.allow)
  return ({ body }, _facts, seen) => {
    const found = counted(seen.links())
    if (found.length <= max) return undefined
    const evidence = `it has ${sayCount(found.length, 'link')}, more than ${max}`
    const score = Math.min(90, 40 + 5 * (found.length - max))
    return { says, score, evidence, found: foundIn(body, found) }
  }
}

export const linksOfNew = (
  { approved, says }: Rules['links_of_new'],
  { link_domains }: Rules,
): RuleFunction => {
  const counted = countedIn(link_domains.allow)
  return ({ body }, { author }, seen) => {
    const found = author.approved < approved ? counted(seen.links()) : []
    if (found.length === 0) return undefined
    const had = sayCount(author.approved, 'approved comment')
    const evidence = `it has ${sayCount(found.length, 'link')}, and its author ${had}`
    return { says, score: 40, evidence, found: foundIn(body, found) }
  }
}

/** Links to blocked domains, and links that pretend to lead elsewhere; in the author's website too. */
export const linkDomains = ({ block, says }: Rules['link_domains']): RuleFunction => {
  const blocked = domainsOf(block)
  return ({ body, authorUrl }, _facts, seen) => {
    const website = authorUrl ?? ''
    const told = [
      ...tellLinks(blocked, seen.links(), { field: 'body', text: body }),
      ...tellLinks(blocked, findLinks(website), { field: 'url', text: website }),
    ]
    if (told.length === 0) return undefined
    const sentences = [...new Set(told.map(({ sentence }) => sentence))]
    return {
      says,
      score: 80,
      evidence: sentences.slice(0, 3).join('; '),
      found: told.slice(0, MAX_TEXT_MATCHES).map(({ found }) => found),
    }
  }
}

type Field = { readonly field: TextMatch['field']; readonly text: string }

const tellLinks = (blocked: Domains, links: readonly Link[], { field, text }: Field) =>
  links.flatMap((link) => {
    const { hosts, pretends } = link
    const domain = hosts.map(blocked.has).find((found) => found !== undefined)
    if (domain === undefined && pretends === undefined) return []
    const sentence =
      domain === undefined
        ? `a link leads to ${hosts[0]} and pretends to lead to ${pretends}`
        : `a link leads to ${domain}, which is blocked`
    return [{ sentence, found: foundOf(text, link, field) }]
  })

const foundIn = (body: string, all: readonly Link[]): TextMatch[] =>
  all.slice(0, MAX_TEXT_MATCHES).map((link) => foundOf(body, link, 'body'))

const foundOf = (text: string, { start, end }: Link, field: TextMatch['field']): TextMatch => ({
  text: text.slice(start, end),
  field,
  start,
  end,
})

/** Looks a host up with all above it. */
const domainsOf = (written: readonly string[]): Domains => {
  const domains = new Set(written.map(domainOf))
  const has = (host: string): string | undefined => {
    for (let rest = host; ; rest = rest.slice(rest.indexOf('.') + 1)) {
      if (domains.has(rest)) return rest
      if (!rest.includes('.')) return undefined
    }
  }
  return { has }
}

/** In ASCII, as hosts of links are. */
const domainOf = (written: string): string =>
  URL.parse(`http://${written}/`)?.hostname ?? written.toLowerCase()
