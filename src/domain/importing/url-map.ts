/** Finds the article of an address; undefined if the map does not name it. */
export type UrlMap = (address: string) => string | undefined

/**
 * Reads a map of addresses: one pair per line, the old address and the article id, with a comma or a tab between
 * them. An old address that ends with `*` names all addresses that begin so: what follows is appended to the article
 * id, whose own `*` is left out. Of several, the longest counts.
 * @throws Error that names the line
 */
export const parseUrlMap = (text: string): UrlMap => {
  const exact = new Map<string, string>()
  const prefixes: (readonly [string, string])[] = []
  text.split(/\r?\n/).forEach((line, at) => {
    if (line.trim() === '' || line.startsWith('#')) return
    const [from, to, ...rest] = line.split(/\s*[,\t]\s*/).map((part) => part.trim())
    if (!from || !to || rest.length > 0)
      throw new Error(`Line ${at + 1} of the map must be: old address, article id`)
    if (from.endsWith('*')) prefixes.push([from.slice(0, -1), to.replace(/\*$/, '')])
    else exact.set(from, to)
  })
  prefixes.sort(([one], [other]) => other.length - one.length)
  return (address) => {
    const found = exact.get(address)
    if (found !== undefined) return found
    const prefix = prefixes.find(([from]) => address.startsWith(from))
    return prefix && prefix[1] + address.slice(prefix[0].length)
  }
}
