import { Parser } from 'htmlparser2'
import type { Block } from './blocks.ts'
import { createBuilder } from './build-blocks.ts'

/** Elements nested deeper than this are hostile: only their text is read. */
const MAX_DEPTH = 200
class TooDeep extends Error {}

/** Reads HTML into blocks. Of HTML that nests too deeply it reads only the text. */
export const parseHtml = (html: string, keepsLineBreaks: boolean): Block[] => {
  try {
    return parse(html, keepsLineBreaks)
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error
    return parse(html.replace(/<[^<>]*>/g, ' ').replaceAll('<', '&lt;'), keepsLineBreaks)
  }
}

const parse = (html: string, keepsLineBreaks: boolean): Block[] => {
  const builder = createBuilder(keepsLineBreaks)
  let depth = 0
  const parser = new Parser({
    onopentag: (name, attributes) => {
      if (++depth > MAX_DEPTH) throw new TooDeep()
      builder.open(name, attributes)
    },
    ontext: (text) => builder.text(text),
    onclosetag: (name) => {
      depth--
      builder.close(name)
    },
  })
  parser.end(html.replaceAll('\0', '\ufffd'))
  return builder.end()
}
