import { linkTarget } from '../comment/links.ts'
import type { Block, Run } from './blocks.ts'
import { BLOCKS, CODE, DROPPED, EMPHASIS, HEADINGS, LANGUAGE, MEDIA } from './html-tags.ts'
import { lastShown, trimRuns } from './runs.ts'

/** The renderer nests quotes and lists to 20 levels, and a list takes two of them. */
const MAX_BLOCK_DEPTH = 8

/** The blocks that a quote or a list item collects. */
type Frame = { readonly name: string; readonly blocks: Block[] }

/** Collects blocks while a parser hands over elements and texts. */
export const createBuilder = (keepsLineBreaks: boolean) => {
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
