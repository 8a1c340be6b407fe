import { type ComponentChild, h } from 'preact'

/** The elements that the service renders, and the attributes that each keeps. */
const KEPT: Readonly<Record<string, (attributes: string) => object>> = {
  p: () => ({}),
  br: () => ({}),
  hr: () => ({}),
  em: () => ({}),
  strong: () => ({}),
  del: () => ({}),
  pre: () => ({}),
  blockquote: () => ({}),
  ul: () => ({}),
  li: () => ({}),
  ol: (attributes) => pick(attributes, 'start', /^\d{1,9}$/),
  code: (attributes) => pick(attributes, 'class', /^language-[\w#+.-]{1,32}$/),
  a: (attributes) => ({
    ...pick(attributes, 'href', /^(https?:|mailto:)/i),
    rel: 'nofollow ugc noopener noreferrer',
  }),
}
const VOID = /^[bh]r$/
const TOKEN = /<(\/?)([a-z]+)((?:\s[^<>]*)?)>|[^<]+|</g
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const decode = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (all, decimal, hex, name) => {
    if (name) return NAMED[name] ?? all
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all
  })

const pick = (attributes: string, name: string, form: RegExp): object => {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(attributes)
  const value = found && decode(found[1]!)
  return value && form.test(value) ? { [name]: value } : {}
}

type Open = { readonly tag: string; readonly props: object; readonly children: ComponentChild[] }

/**
 * Turns the HTML of a comment into nodes without giving it to a parser of the browser. Everything but the
 * elements above becomes visible text, so that even a service gone wrong cannot run a script in the page.
 */
export const parseBody = (html: string): ComponentChild[] => {
  const open: Open[] = [{ tag: '', props: {}, children: [] }]
  const close = (): void => {
    const { tag, props, children } = open.pop()!
    open.at(-1)!.children.push(h(tag, props, ...children))
  }
  for (const [text, slash, tag, attributes] of html.replace(/\r\n?/g, '\n').matchAll(TOKEN)) {
    const keep = tag !== undefined && Object.hasOwn(KEPT, tag) ? KEPT[tag] : undefined
    const isOpen = slash !== '' && open.some((one) => one.tag === tag)
    if (keep && slash === '' && VOID.test(tag!)) open.at(-1)!.children.push(h(tag!, null))
    else if (keep && slash === '')
      open.push({ tag: tag!, props: keep(attributes!.replace(/\/$/, '')), children: [] })
    else if (keep && isOpen) {
      while (open.at(-1)!.tag !== tag) close()
      close()
    } else open.at(-1)!.children.push(decode(text))
  }
  while (open.length > 1) close()
  return open[0]!.children
}
