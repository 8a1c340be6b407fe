/** Code points of an article id. */
export const MAX_ARTICLE_ID = 2_048

export const isTooLong = (id: string): boolean =>
  id.length > MAX_ARTICLE_ID && Array.from(id).length > MAX_ARTICLE_ID

/** A longer address is that of no article, and would take long. */
const MAX_PARAMETERS = 32

/** Parameters that say where a reader came from, or which of the comments to show. */
const TRACKING = new RegExp(
  `^(?:utm_.*|ref|ref_src|ref_url|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|li_fat_id|
  mc_cid|mc_eid|mkt_tok|_ga|_gl|_hsenc|_hsmi|replytocom)$`.replaceAll(/\s/g, ''),
)
const INDEX = /\/index\.(?:html?|php)$/

/**
 * The canonical form of an article id that is an http or https URL; any other id stays as it is, and so does one
 * with a user name, more than 32 parameters, or more than 2,048 characters in either form. `docs/article-ids.md`
 * describes the form.
 * The canonical form of a canonical form is the same.
 */
export const canonicalArticleId = (id: string): string => {
  const isAddress = !isTooLong(id) && /^https?:\/\//i.test(id)
  const url = isAddress ? URL.parse(id) : null
  if (!url || url.username || url.password) return id
  if (url.search.split('&', MAX_PARAMETERS + 1).length > MAX_PARAMETERS) return id
  const host = withoutPrefix(url.hostname)
  const port =
    url.port === '' || (url.protocol === 'http:' && url.port === '443') ? '' : `:${url.port}`
  const canonical = `https://${host}${port}${canonicalPath(url.pathname)}${canonicalQuery(url.search)}`
  return isTooLong(canonical) ? id : canonical
}

/** Removes `www.` and the dot at the end, unless the rest would be another kind of host. */
const withoutPrefix = (host: string): string => {
  const rest = host.replace(/^(?:www\.)+(?=[^.]+\.[^.])/, '').replace(/\.+$/, '')
  return URL.parse(`https://${rest}/`)?.hostname === rest ? rest : host
}

const canonicalPath = (path: string): string => {
  let rest = canonicalEscapes(path)
  for (let before = ''; before !== rest; ) {
    before = rest
    while (rest.endsWith('/')) rest = rest.slice(0, -1)
    rest = rest.replace(INDEX, '')
  }
  return rest === '' ? '/' : rest
}

const canonicalQuery = (search: string): string => {
  const parts = search
    .slice(1)
    .split('&')
    .map((part) => canonicalEscapes(part.replaceAll('+', '%20')).replace(/^([^=]+)=$/, '$1'))
    .filter((part) => part !== '' && !TRACKING.test(nameOf(part)))
  if (parts.length === 0) return ''
  return `?${parts.toSorted((a, b) => compare(nameOf(a), nameOf(b))).join('&')}`
}

const nameOf = (part: string): string => part.split('=', 1)[0]!
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Escapes the characters that an address must escape and no others, in capital letters. */
const canonicalEscapes = (text: string): string =>
  text
    .replaceAll(/%(?![\da-f]{2})/gi, '%25')
    .replaceAll(/%[\da-f]{2}/gi, (escaped) => {
      const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      return /[\w\-.~]/.test(character) ? character : escaped.toUpperCase()
    })
    .replaceAll(/[^\w\-.~!$&'()*+,;=:@/%?]/g, encodeURIComponent)

/** How a site gets other article ids: by the first rule whose prefix an id has, then in the canonical form. */
export type Remap = {
  readonly rules: readonly { readonly fromPrefix: string; readonly toPrefix: string }[]
  readonly isCanonical: boolean
}

/** The id that an article gets. One that would be empty or too long stays as it is. */
export const remappedId = ({ rules, isCanonical }: Remap, id: string): string => {
  const rule = rules.find(({ fromPrefix }) => id.startsWith(fromPrefix))
  const moved = rule ? rule.toPrefix + id.slice(rule.fromPrefix.length) : id
  const named = isCanonical ? canonicalArticleId(moved) : moved
  return named === '' || isTooLong(named) ? id : named
}
