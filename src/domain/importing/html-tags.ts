import type { Emphasis } from './blocks.ts'

/** Emphasis by the name of its element. */
export const EMPHASIS: Readonly<Record<string, Emphasis>> = {
  b: 'strong',
  strong: 'strong',
  i: 'em',
  em: 'em',
  cite: 'em',
  dfn: 'em',
  var: 'em',
  s: 'del',
  strike: 'del',
  del: 'del',
}
export const CODE = new Set(['code', 'tt', 'kbd', 'samp'])
export const HEADINGS = new Set(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'])
export const DROPPED = new Set(
  'script style head title template object noembed noframes noscript svg math select textarea'.split(
    ' ',
  ),
)
export const MEDIA = new Set(['img', 'iframe', 'video', 'audio', 'source', 'embed'])
export const BLOCKS = new Set(
  (
    'p div section article aside header footer main nav center address figure figcaption details summary ' +
    'form fieldset legend table caption thead tbody tfoot tr dl dt dd h1 h2 h3 h4 h5 h6 body html'
  ).split(' '),
)
export const LANGUAGE = /(?:^|\s)lang(?:uage)?-([A-Za-z0-9+#._-]{1,32})(?:\s|$)/
