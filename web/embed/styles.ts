import css from './embed.css'
import type { Host } from './view.ts'

/** One sheet for all tags of the page. A style sheet of a script works where the page forbids inline styles. */
let sheet: CSSStyleSheet | undefined

/** Gives the tag its shadow root, its look and its direction. */
export const dress = (host: Host): ShadowRoot => {
  if (!sheet) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
  }
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
  root.adoptedStyleSheets = [sheet]
  return root
}
