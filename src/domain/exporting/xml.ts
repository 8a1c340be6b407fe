/** Characters that no XML 1.0 may contain. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that the rule warns of
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
}

/** A text in an element or an attribute. */
export const xmlText = (text: string): string =>
  text
    .toWellFormed()
    .replace(FORBIDDEN, '')
    .replace(/[&<>"\r]/g, (character) => ESCAPES[character]!)

/** A text in CDATA. An end of CDATA inside it is divided between two sections. */
export const cdata = (text: string): string =>
  `<![CDATA[${text.toWellFormed().replace(FORBIDDEN, '').replaceAll(']]>', ']]]]><![CDATA[>')}]]>`

export const element = (name: string, text: string | number): string =>
  `<${name}>${xmlText(String(text))}</${name}>`
