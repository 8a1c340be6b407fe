/** Addresses of articles and of the service. */

const TRACKING = /^(utm_.*|fbclid|gclid|msclkid|ref)$/

/** The address of a page without its fragment and without what advertisers add. */
export const articleOfPage = (address: string): string => {
  const url = new URL(address)
  url.hash = ''
  for (const name of new Set(url.searchParams.keys()))
    if (TRACKING.test(name)) url.searchParams.delete(name)
  return url.href
}

/** The article of the page that shows the tag. */
export const pageAddress = (): string =>
  document.querySelector<HTMLLinkElement>('link[rel=canonical]')?.href ||
  articleOfPage(location.href)

/** The comment that a fragment names: every link to a comment has the same form. */
export const commentOfHash = (hash: string): string | undefined => /^#(c[\w-]{22})$/.exec(hash)?.[1]

export const siteAddress = (service: string, site: string): string => `${service}/v1/sites/${site}`

/** The folder of an article in the API. */
export const threadAddress = (service: string, site: string, article: string): string =>
  `${siteAddress(service, site)}/articles/${encodeURIComponent(article)}`

/** The page that shows the comments where the widget cannot. */
export const fallbackOf = (host: HTMLElement, thread: string): string =>
  host.getAttribute('fallback') ?? `${thread}/comments.html?page=1`

type Value = string | number | null | undefined

/** Adds parameters; those without a value are left out. */
export const withQuery = (address: string, query: Readonly<Record<string, Value>>): string => {
  const given = Object.entries(query).filter(([, value]) => (value ?? '') !== '')
  const params = `${new URLSearchParams(given as [string, string][])}`
  return address + (params && `?${params}`)
}

const MAX_IDS = 250
const MAX_LENGTH = 7_000

/** The requests that count all articles: sorted, so that every page with the same tags asks for the same. */
export const countAddresses = (base: string, articles: Iterable<string>): string[] => {
  const addresses: string[] = []
  for (const article of [...new Set(articles)].sort()) {
    const param = `article_id=${encodeURIComponent(article)}`
    const last = addresses.pop()
    if (!last) addresses.push(`${base}/counts?${param}`)
    else if (last.split('&').length < MAX_IDS && last.length + param.length < MAX_LENGTH)
      addresses.push(`${last}&${param}`)
    else addresses.push(last, `${base}/counts?${param}`)
  }
  return addresses
}

/** Names what the browser keeps of a thread for the visit. */
export const versionName = (thread: string): string => `afterword:${thread}:version`

/** The version of a thread that this reader's last write made. A browser can refuse all storage. */
export const keptVersion = (thread: string): string | null => {
  try {
    return sessionStorage.getItem(versionName(thread))
  } catch {
    return null
  }
}
