/** Control characters, which XML 1.0 does not allow or advises against, and two code points that are no characters. */
const FORBIDDEN = /(?![\t\n\r])\p{Cc}|[\uFFFE\uFFFF]/gu

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
