/** Text that is HTML already. */
export type Html = { readonly html: string }

type Value = string | number | Html | readonly Html[] | null | undefined | false

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const write = (value: Value): string => {
  if (value === null || value === undefined || value === false) return ''
  if (Array.isArray(value)) return value.map(write).join('')
  if (typeof value === 'object') return (value as Html).html
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}

/** Writes HTML from a template. Every value is escaped, except one that is HTML already. Null is nothing. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Html => ({
  html: parts.map((part, at) => (at === 0 ? '' : write(values[at - 1])) + part).join(''),
})

/** @param text HTML that the service has rendered and sanitised */
export const rendered = (text: string): Html => ({ html: text })

/** Writes JSON into a script element, which no text in it can end. */
export const json = (value: unknown): Html => ({
  html: JSON.stringify(value).replaceAll('<', '\\u003c'),
})
