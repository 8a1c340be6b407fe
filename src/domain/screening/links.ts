/** An address in a text, with or without a scheme. */
export type Link = {
  readonly start: number
  readonly end: number
  /** In ASCII: the host that the link leads to, then the hosts of addresses in its path. */
  readonly hosts: readonly string[]
  /** The other host that a deceptive link shows. */
  readonly pretends: string | undefined
}

/**
 * Characters that end an address. Brackets do: Markdown puts them around text and target. Chinese and Japanese
 * punctuation does: no space follows it.
 */
const ENDS = new Uint8Array(0x10000)
for (const c of ' \t\n\r\f\v<>"\'`()[]{}|\u00a0\u3000\u2028\u2029，、；：！？（）「」『』【】《》“”')
  ENDS[c.charCodeAt(0)] = 1
/** A browser reads each of these in a host like the first one. */
const DOTS = /[.。．｡]/
/** A browser leaves most of these out of a host, and a reader who types an address all of them. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}+/gu
const SCHEME = /(?:https?|ftp|hxxps?):\/\/$/i
const NEXT_SCHEME = /(?:https?|ftp)$/i
const AFTER_HOST = /[/?#\\:]/
const PLAIN_HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/
/** Numeric addresses can be written in many ways; only the URL parser knows them all. */
const NUMERIC = /(?:^|\.)\d[^.]*$/
/** Top-level domains that make a text an address even without a scheme. */
const TOP_LEVEL = new Set(
  (
    'com net org info biz xyz top site online shop store club app dev blog live pro vip win bid loan ' +
    'ru tk cn io tv cc ly gl pl uk ml cf gq'
  ).split(' '),
)
const SECOND_LEVEL = new Set('co com net org gov ac'.split(' '))
const MAX_HOST_LENGTH = 253
/** No honest link names more. */
const MAX_HOSTS = 100
const MAIL_HOST = /@([^@,?&;\s<>"'()]+)/g
const ESCAPES = /(?:%[\da-f]{2})+/gi

/** All addresses of a text in order. Takes linear time whatever the text. */
export const findLinks = (text: string): readonly Link[] => {
  const links: Link[] = []
  let done = 0
  for (let at = nextSign(text, 0); at < text.length; at = nextSign(text, Math.max(done, at + 1))) {
    if (ENDS[text.charCodeAt(at + 1)]) continue
    const start = beginOfRun(text, done, at)
    done = endOfRun(text, at)
    const link = readLink(text, start, done)
    if (link) links.push(link)
  }
  return links
}

/** The next dot or colon: every address has one. */
const nextSign = (text: string, from: number): number => {
  SIGN.lastIndex = from
  return SIGN.exec(text)?.index ?? text.length
}

const SIGN = /[.:。．｡]/g

const beginOfRun = (text: string, least: number, at: number): number => {
  let start = at
  while (start > least && !ENDS[text.charCodeAt(start - 1)]) start--
  return start
}

const endOfRun = (text: string, at: number): number => {
  let end = at
  while (end < text.length && !ENDS[text.charCodeAt(end)]) end++
  return end
}

/** The hosts of a canonical URL: its own, those of addresses in its path, or those of mail addresses. */
export const hostsOf = (href: string): string[] => {
  const url = URL.parse(href)
  if (!url) return []
  if (url.protocol === 'mailto:')
    return Array.from(readEscapes(href).matchAll(MAIL_HOST), ([, host]) => hostOf(host!) ?? [])
      .flat()
      .slice(0, MAX_HOSTS)
  const rest = href.replace(/%3a/gi, ':').replace(/%2f/gi, '/')
  const inPath = rest.split('://', MAX_HOSTS).slice(2)
  return [
    url.hostname.replace(/\.$/, ''),
    ...inPath.flatMap((part) => readAddress(part.replace(NEXT_SCHEME, '')).host ?? []),
  ]
}

/** Bytes that are no UTF-8 stay escaped. */
const readEscapes = (href: string): string =>
  href.replace(ESCAPES, (bytes) => {
    try {
      return decodeURIComponent(bytes)
    } catch {
      return bytes
    }
  })

/** Whether one host is the other, or below it. */
export const isSameSite = (a: string, b: string): boolean => isBelow(a, b) || isBelow(b, a)

/** Whether the host is the domain or a subdomain. */
const isBelow = (host: string, domain: string): boolean =>
  host === domain || host.endsWith(`.${domain}`) || `www.${host}` === domain

const readLink = (text: string, start: number, end: number): Link | undefined => {
  const run = text.slice(start, end)
  const parts = run.split('://')
  const scheme = SCHEME.exec(`${parts[0]!.slice(-8)}://`)
  if (parts.length > 1 && scheme) {
    const addresses = parts.slice(1).map((part) => readAddress(part.replace(NEXT_SCHEME, '')))
    const hosts = addresses.flatMap(({ host }) => host ?? [])
    const from = start + parts[0]!.length + 3 - scheme[0].length
    if (!addresses[0]!.host) return undefined
    return {
      start: from,
      end: endOfSentence(text, from, end),
      hosts,
      pretends: addresses[0]!.pretends,
    }
  }
  return readBare(text, start, end)
}

type Address = { readonly host: string | undefined; readonly pretends: string | undefined }

/** Parses the part after `://`. A user name before `@` may look like a host. */
const readAddress = (rest: string): Address => {
  const slash = rest.slice(0, MAX_HOST_LENGTH * 4).search(/[/?#\\]/)
  const authority = rest.slice(0, slash < 0 ? MAX_HOST_LENGTH * 4 : slash)
  const at = authority.lastIndexOf('@')
  const user = authority.slice(0, Math.max(0, at)).split(':')[0]!
  return {
    host: hostOf(authority.slice(at + 1)),
    pretends: user.includes('.') ? hostOf(user) : undefined,
  }
}

/** The host in ASCII and lower case, without port and outer dots. */
const hostOf = (written: string): string | undefined => {
  const host = written.split(AFTER_HOST)[0]!.replace(/^\.+|\.+$/g, '')
  if (host.length > MAX_HOST_LENGTH || host === '') return undefined
  if (PLAIN_HOST.test(host) && !NUMERIC.test(host)) return host
  const visible = host.replace(INVISIBLE, '')
  return URL.parse(`http://${visible}/`)?.hostname.replace(/\.$/, '') || undefined
}

/** A link without a scheme begins with a likely host and is no e-mail address. */
const readBare = (text: string, start: number, end: number): Link | undefined => {
  const run = text.slice(start, end)
  const lead = /^[^\p{L}\p{N}]*/u.exec(run)![0].length
  const slash = run.slice(lead).search(/[/?#\\:]/)
  const written = (slash < 0 ? run.slice(lead) : run.slice(lead, lead + slash)).replace(
    INVISIBLE,
    '',
  )
  if (!DOTS.test(written) || written.includes('@') || written.length > MAX_HOST_LENGTH)
    return undefined
  const plain = written.replace(/[^\p{L}\p{N}]+$/u, '')
  const labels = plain.toLowerCase().split(DOTS)
  // `谢谢。男生/女生` is a sentence.
  const isUrl =
    slash >= 0 && run[lead + slash] === '/' && plain.at(-labels.at(-1)!.length - 1) === '.'
  if (!looksLikeHost(labels, isUrl)) return undefined
  const host = hostOf(plain.toLowerCase())
  const from = start + lead
  return host === undefined
    ? undefined
    : { start: from, end: endOfSentence(text, from, end), hosts: [host], pretends: undefined }
}

const looksLikeHost = (labels: readonly string[], isUrl: boolean): boolean => {
  const top = labels.at(-1)!
  if (labels.length < 2 || labels.some((label) => !/^[\p{L}\p{N}-]{1,63}$/u.test(label)))
    return false
  const isName = /^(?:xn--[a-z0-9-]+|\p{L}{2,})$/u.test(top)
  if (!isName) return false
  return (
    isUrl ||
    labels[0] === 'www' ||
    TOP_LEVEL.has(top) ||
    (labels.length > 2 && top.length === 2 && SECOND_LEVEL.has(labels.at(-2)!))
  )
}

/** The end without punctuation that ends a sentence. */
const endOfSentence = (text: string, start: number, end: number): number => {
  let last = end
  while (last > start && '.,;:!?*_~'.includes(text[last - 1]!)) last--
  return last
}
