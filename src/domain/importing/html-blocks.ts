import { Parser } from 'htmlparser2'
import { linkTarget } from '../comment/links.ts'

export type Emphasis = 'strong' | 'em' | 'del'

/** A piece of a paragraph in which nothing changes. A line break is a run with the text `\n`. */
export type Run = {
  text: string
  readonly marks: readonly Emphasis[]
  /** An allowed link target; empty: no link. */
  readonly href: string
  readonly isCode: boolean
}

export type Block =
  | { readonly kind: 'paragraph'; readonly runs: Run[] }
  | { readonly kind: 'code'; text: string; readonly language: string }
  | { readonly kind: 'rule' }
  | { readonly kind: 'quote'; readonly blocks: Block[] }
  | {
      readonly kind: 'list'
      readonly start: number | null
      isLoose: boolean
      readonly items: Block[][]
    }

/** Elements nested deeper than this are hostile: only their text is read. */
const MAX_DEPTH = 200
/** The renderer nests quotes and lists to 20 levels, and a list takes two of them. */
const MAX_BLOCK_DEPTH = 8

const EMPHASIS: Readonly<Record<string, Emphasis>> = {
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
const CODE = new Set(['code', 'tt', 'kbd', 'samp'])
const HEADINGS = new Set(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'])
const DROPPED = new Set(
  'script style head title template object noembed noframes noscript svg math select textarea'.split(
    ' ',
  ),
)
const MEDIA = new Set(['img', 'iframe', 'video', 'audio', 'source', 'embed'])
const BLOCKS = new Set(
  (
    'p div section article aside header footer main nav center address figure figcaption details summary ' +
    'form fieldset legend table caption thead tbody tfoot tr dl dt dd h1 h2 h3 h4 h5 h6 body html'
  ).split(' '),
)
const LANGUAGE = /(?:^|\s)lang(?:uage)?-([A-Za-z0-9+#._-]{1,32})(?:\s|$)/

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

/** The blocks that a quote or a list item collects. */
type Frame = { readonly name: string; readonly blocks: Block[] }

const createBuilder = (keepsLineBreaks: boolean) => {
  const frames: Frame[] = [{ name: '', blocks: [] }]
  const marks = { strong: 0, em: 0, del: 0 }
  const hrefs: string[] = []
  let paragraph: Run[] = []
  /** Whether the paragraph ends with white space. Asking the text itself would copy it each time. */
  let isAfterSpace = true
  let codeDepth = 0
  let droppedDepth = 0
  let pre: { text: string; language: string } | null = null
  /** Lists and quotes that are open, and whether each is a block of its own or too deep to be one. */
  const containers: {
    readonly name: string
    readonly list: Extract<Block, { kind: 'list' }> | null
    readonly isFrame: boolean
  }[] = []

  const endParagraph = (): void => {
    const runs = trimRuns(paragraph)
    paragraph = []
    isAfterSpace = true
    if (runs.length > 0) frames.at(-1)!.blocks.push({ kind: 'paragraph', runs })
  }
  const addRun = (text: string): void => {
    const href = hrefs.at(-1) ?? ''
    const names = (['strong', 'em', 'del'] as const).filter((name) => marks[name] > 0)
    const last = paragraph.at(-1)
    const isCode = codeDepth > 0
    if (
      last &&
      last.text !== '\n' &&
      last.href === href &&
      last.isCode === isCode &&
      last.marks.join() === names.join()
    )
      last.text += text
    else paragraph.push({ text, marks: names, href, isCode })
    isAfterSpace = text.endsWith(' ')
  }
  const addBreak = (): void => {
    const last = lastShown(paragraph)
    if (last === undefined) return
    if (last.text === '\n') endParagraph()
    else {
      paragraph.push({ text: '\n', marks: [], href: '', isCode: false })
      isAfterSpace = true
    }
  }
  const addText = (text: string): void => {
    if (droppedDepth > 0) return
    if (pre) {
      pre.text += text
      return
    }
    if (!keepsLineBreaks) {
      addFolded(text)
      return
    }
    for (const [index, line] of text.replaceAll('\r\n', '\n').split('\n').entries()) {
      if (index > 0) addBreak()
      addFolded(line)
    }
  }
  const addFolded = (text: string): void => {
    const folded = text.replace(/[ \t\n\f\r]+/g, ' ')
    if (folded === '') return
    const kept = isAfterSpace && folded.startsWith(' ') ? folded.slice(1) : folded
    if (kept !== '') addRun(kept)
  }
  const openContainer = (name: string, list: Extract<Block, { kind: 'list' }> | null): void => {
    endParagraph()
    const isFrame = containers.filter((one) => one.isFrame).length < MAX_BLOCK_DEPTH
    containers.push({ name, list: isFrame ? list : null, isFrame })
    if (!isFrame) return
    if (list) {
      const parent = frames.at(-1)!
      parent.blocks.push(list)
    } else {
      const quote: Block = { kind: 'quote', blocks: [] }
      frames.at(-1)!.blocks.push(quote)
      frames.push({ name, blocks: quote.blocks })
    }
  }
  const closeContainer = (name: string): void => {
    if (!containers.some((one) => one.name === name)) return
    endParagraph()
    for (;;) {
      const closed = containers.pop()!
      if (closed.isFrame) {
        if (closed.list) {
          if (isItemOf(frames.at(-1)!, closed.list)) frames.pop()
        } else if (frames.at(-1)!.name === closed.name) frames.pop()
      }
      if (closed.name === name) return
    }
  }
  const openItem = (): void => {
    endParagraph()
    const list = containers.at(-1)?.list
    if (!list) return
    if (isItemOf(frames.at(-1)!, list)) frames.pop()
    const blocks: Block[] = []
    list.items.push(blocks)
    frames.push({ name: 'li', blocks })
  }
  const ensureItem = (): void => {
    const list = containers.at(-1)?.list
    if (list && !isItemOf(frames.at(-1)!, list)) openItem()
  }
  const openMedia = (
    name: string,
    { src = '', alt = '', title = '' }: Record<string, string>,
  ): void => {
    const href = linkTarget(src.startsWith('//') ? `https:${src}` : src)
    const label = name === 'img' ? alt || title : title
    if (href === '' || hrefs.at(-1)) addFolded(label || (hrefs.at(-1) ? '' : href))
    else {
      hrefs.push(href)
      addRun(label.replace(/[ \t\n\f\r]+/g, ' ').trim() || href)
      hrefs.pop()
    }
  }

  const open = (name: string, attributes: Record<string, string>): void => {
    if (DROPPED.has(name)) droppedDepth++
    if (droppedDepth > 0) return
    if (pre) {
      if (name === 'br') pre.text += '\n'
      const language = LANGUAGE.exec(attributes.class ?? '')?.[1]
      if (name === 'code' && pre.text.trim() === '' && language) pre.language = language
      return
    }
    if (name === 'ul' || name === 'ol') {
      if (containers.at(-1)?.list) ensureItem()
      openContainer(name, {
        kind: 'list',
        start: name === 'ol' ? startOf(attributes) : null,
        isLoose: false,
        items: [],
      })
      return
    }
    if (name === 'li') {
      openItem()
      return
    }
    ensureItem()
    const emphasis = EMPHASIS[name]
    if (emphasis) marks[emphasis]++
    else if (CODE.has(name)) codeDepth++
    else if (name === 'a') hrefs.push(linkTarget((attributes.href ?? '').trim()))
    else if (name === 'br') addBreak()
    else if (name === 'hr') {
      endParagraph()
      frames.at(-1)!.blocks.push({ kind: 'rule' })
    } else if (name === 'pre') {
      endParagraph()
      pre = { text: '', language: LANGUAGE.exec(attributes.class ?? '')?.[1] ?? '' }
    } else if (name === 'blockquote') openContainer(name, null)
    else if (MEDIA.has(name)) openMedia(name, attributes)
    else if (name === 'td' || name === 'th') {
      if (paragraph.length > 0) addRun(' | ')
    } else if (BLOCKS.has(name)) {
      endParagraph()
      const list = containers.at(-1)?.list
      if (name === 'p' && list) list.isLoose = true
      if (HEADINGS.has(name)) marks.strong++
    }
  }
  const close = (name: string): void => {
    if (DROPPED.has(name)) {
      if (droppedDepth > 0) droppedDepth--
      return
    }
    if (droppedDepth > 0) return
    if (pre) {
      if (name === 'pre') {
        const text = pre.text.replaceAll('\r\n', '\n').replace(/^\n/, '').replace(/\n$/, '')
        frames.at(-1)!.blocks.push({ kind: 'code', text, language: pre.language })
        pre = null
      }
      return
    }
    const emphasis = EMPHASIS[name]
    if (emphasis) marks[emphasis] = Math.max(0, marks[emphasis] - 1)
    else if (CODE.has(name)) codeDepth = Math.max(0, codeDepth - 1)
    else if (name === 'a') hrefs.pop()
    else if (name === 'ul' || name === 'ol' || name === 'blockquote') closeContainer(name)
    else if (name === 'li') {
      endParagraph()
      const list = containers.at(-1)?.list
      if (list && isItemOf(frames.at(-1)!, list)) frames.pop()
    } else if (BLOCKS.has(name)) {
      endParagraph()
      if (HEADINGS.has(name)) marks.strong = Math.max(0, marks.strong - 1)
    }
  }
  const text = (piece: string): void => {
    if (pre === null && droppedDepth === 0 && /[^ \t\n\f\r]/.test(piece)) ensureItem()
    addText(piece)
  }
  const end = (): Block[] => {
    if (pre) close('pre')
    endParagraph()
    return frames[0]!.blocks
  }
  return { open, close, text, end }
}

const isItemOf = (frame: Frame, list: Extract<Block, { kind: 'list' }>): boolean =>
  list.items.at(-1) === frame.blocks

const startOf = ({ start = '' }: Record<string, string>): number =>
  /^\d{1,9}$/.test(start) ? Number(start) : 1

/** The last run of a paragraph that is not white space alone. */
const lastShown = (runs: readonly Run[]): Run | undefined =>
  runs.findLast(({ text }) => text === '\n' || text.trim() !== '')

/** Leaves out white space at the ends of lines, and line breaks at the ends of the paragraph. */
const trimRuns = (runs: readonly Run[]): Run[] => {
  const kept: Run[] = []
  const trimEnd = (): void => {
    while (kept.length > 0 && kept.at(-1)!.text !== '\n') {
      const last = kept.at(-1)!
      last.text = last.text.trimEnd()
      if (last.text !== '') return
      kept.pop()
    }
  }
  for (const run of runs) {
    const isAtStart = kept.length === 0 || kept.at(-1)!.text === '\n'
    if (run.text === '\n') {
      trimEnd()
      if (kept.length > 0 && kept.at(-1)!.text !== '\n') kept.push(run)
      continue
    }
    const text = isAtStart ? run.text.trimStart() : run.text
    if (text !== '') kept.push({ ...run, text })
  }
  trimEnd()
  while (kept.at(-1)?.text === '\n') {
    kept.pop()
    trimEnd()
  }
  return kept
}
