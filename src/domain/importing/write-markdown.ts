import { linkTarget } from '../comment/links.ts'
import type { Block, Emphasis, Run } from './blocks.ts'
import { escapeLineStart, escapeWithUrls } from './escape-markdown.ts'

const MARKS: Readonly<Record<Emphasis, readonly [string, string]>> = {
  strong: ['**', '__'],
  em: ['*', '_'],
  del: ['~~', '~~'],
}
const IS_SPACE = /^\s$/u
const IS_WORD = /^[\p{L}\p{N}]$/u
const IS_ASCII_MARK = /^[!-/:-@[-`{-~]$/
const AUTOLINK = /^[a-zA-Z][a-zA-Z0-9+.-]{1,31}:[^<>\s\p{Cc}]*$/u

/** Writes blocks as Markdown. */
export const writeMarkdown = (blocks: readonly Block[]): string => writeBlocks(blocks, true)

const writeBlocks = (blocks: readonly Block[], isLoose: boolean): string => {
  const pieces: string[] = []
  let lastMarker = ''
  for (const [index, block] of blocks.entries()) {
    const before = blocks[index - 1]
    const isNextList = block.kind === 'list' && before?.kind === 'list'
    const { text, marker } = writeBlock(block, isNextList ? lastMarker : '')
    lastMarker = marker
    if (text === '') continue
    if (pieces.length > 0) pieces.push(isLoose || block.kind !== 'list' ? '\n\n' : '\n')
    pieces.push(text)
  }
  return pieces.join('')
}

type Written = { readonly text: string; readonly marker: string }

const writeBlock = (block: Block, lastMarker: string): Written => {
  switch (block.kind) {
    case 'paragraph':
      return { text: writeRuns(block.runs), marker: '' }
    case 'rule':
      return { text: '___', marker: '' }
    case 'code':
      return { text: writeCode(block.text, block.language), marker: '' }
    case 'quote': {
      const inner = writeBlocks(block.blocks, true)
      return { text: inner === '' ? '' : indent(inner, '> ', '> '), marker: '' }
    }
    case 'list':
      return writeList(block, lastMarker)
  }
}

/** Two lists in a row need different marks, or they would be one list. */
const writeList = (list: Extract<Block, { kind: 'list' }>, lastMarker: string): Written => {
  const isOrdered = list.start !== null
  const marker = isOrdered ? (lastMarker === '.' ? ')' : '.') : lastMarker === '-' ? '*' : '-'
  const isLoose = list.isLoose || list.items.some(isItemLoose)
  const items = list.items.map((blocks, index) => {
    const first = isOrdered
      ? `${Math.min(list.start! + index, 999_999_999)}${marker} `
      : `${marker} `
    const text = writeBlocks(blocks, isLoose)
    return text === '' ? first.trimEnd() : indent(text, first, ' '.repeat(first.length))
  })
  return { text: items.join(isLoose ? '\n\n' : '\n'), marker }
}

const isItemLoose = (blocks: readonly Block[]): boolean =>
  blocks.filter(({ kind }) => kind !== 'list').length > 1

const indent = (text: string, first: string, rest: string): string =>
  text
    .split('\n')
    .map((line, index) =>
      line === '' && rest.trim() === ''
        ? ''
        : `${index === 0 ? first : rest}${line}`.replace(/^(> )+$/, (all) => all.trimEnd()),
    )
    .join('\n')

const writeCode = (text: string, language: string): string => {
  const fence = '`'.repeat(Math.max(3, longestRun(text, '`') + 1))
  return `${fence}${language}\n${text}\n${fence}`
}

const longestRun = (text: string, mark: string): number => {
  let longest = 0
  let length = 0
  for (const character of text) {
    length = character === mark ? length + 1 : 0
    longest = Math.max(longest, length)
  }
  return longest
}

type OpenMark = { readonly name: Emphasis; readonly mark: string }

/** Writes the runs of a paragraph. Marks stand at words, and continue over as many runs as they can. */
const writeRuns = (source: readonly Run[]): string => {
  const runs = withSpaceOutside(source)
  const writer = createWriter()
  for (let index = 0; index < runs.length; ) {
    const { href } = runs[index]!
    let end = index + 1
    while (end < runs.length && runs[end]!.href === href) end++
    const group = runs.slice(index, end)
    if (href === '') writeGroup(group, writer, { isInLink: false, isBeforeLink: end < runs.length })
    else writeLink(group, href, writer)
    index = end
  }
  return writer.text()
}

/** A mark may not stand beside white space inside it: such white space gets no marks. */
const withSpaceOutside = (runs: readonly Run[]): Run[] => {
  const kept: Run[] = []
  for (const run of runs) {
    if (run.isCode || run.marks.length === 0 || run.text === '\n') {
      kept.push(run)
      continue
    }
    const text = run.text.trim()
    const start = run.text.indexOf(text)
    const parts =
      text === ''
        ? [run.text, '', '']
        : [run.text.slice(0, start), text, run.text.slice(start + text.length)]
    for (const [index, part] of parts.entries())
      if (part !== '') kept.push({ ...run, text: part, marks: index === 1 ? run.marks : [] })
  }
  return kept.map((run, index) => {
    // White space and breaks between two runs keep the marks that both have.
    if (run.marks.length > 0 || run.isCode || run.text.trim() !== '') return run
    const [before, after] = [kept[index - 1], kept[index + 1]]
    const isInside = before && after && before.href === run.href && after.href === run.href
    const marks = isInside ? before.marks.filter((mark) => after.marks.includes(mark)) : []
    return { ...run, marks }
  })
}

/** Collects Markdown, and knows what a mark stands beside. */
const createWriter = () => {
  const pieces: string[] = []
  let last = ''
  return {
    add: (piece: string): void => {
      if (piece === '') return
      pieces.push(piece)
      last = piece
    },
    /** Makes the last character an entity, so that a mark after it is beside a sign, not a word. */
    encodeLast: (): void => {
      const piece = pieces.at(-1) ?? ''
      const character = lastOf(piece)
      if (character === '') return
      pieces[pieces.length - 1] = piece.slice(0, -character.length) + entityOf(character)
      last = pieces.at(-1)!
    },
    lastCharacter: (): string => lastOf(last),
    isAtLineStart: (): boolean => last === '' || last.endsWith('\n'),
    text: (): string => pieces.join(''),
  }
}
type Writer = ReturnType<typeof createWriter>

const firstOf = (text: string): string =>
  text === '' ? '' : String.fromCodePoint(text.codePointAt(0)!)
/** The last character, which is two units long if it is outside the basic plane. */
const lastOf = (text: string): string =>
  /[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(-2)) ? text.slice(-2) : text.slice(-1)

const entityOf = (character: string): string => `&#${character.codePointAt(0)};`

/** Whether a mark beside this character, with that character inside, would not be read as a mark. */
const isBlocking = (mark: string, outside: string, inside: string): boolean => {
  if (outside === '' || IS_SPACE.test(outside) || IS_ASCII_MARK.test(outside)) return false
  return mark.startsWith('_') || !IS_WORD.test(inside)
}

type Place = { readonly isInLink: boolean; readonly isBeforeLink: boolean }

const writeGroup = (runs: readonly Run[], writer: Writer, place: Place): void => {
  const open: OpenMark[] = []
  let mustEncodeFirst = false
  const closeUntil = (keep: readonly Emphasis[], next: string): void => {
    let inside = writer.lastCharacter()
    while (open.some(({ name }) => !keep.includes(name))) {
      const { mark } = open.pop()!
      writer.add(mark)
      if (isBlocking(mark, next, inside)) mustEncodeFirst = true
      inside = mark[0]!
    }
  }
  for (const [index, run] of runs.entries()) {
    const next = run.isCode ? '`' : firstOf(run.text)
    closeUntil(run.marks, next)
    // No mark begins before white space.
    const isSpace = !run.isCode && run.text.trim() === ''
    const opening = run.marks.filter((name) => !isSpace && !open.some((one) => one.name === name))
    opening.sort((a, b) => spanOf(runs, index, b) - spanOf(runs, index, a))
    for (const name of opening) {
      const mark = chooseMark(name, open, writer.lastCharacter())
      const inside = name === opening.at(-1) ? next : '*'
      if (isBlocking(mark, writer.lastCharacter(), inside)) writer.encodeLast()
      writer.add(mark)
      open.push({ name, mark })
    }
    if (run.isCode) writer.add(codeSpan(run.text))
    else {
      const isBeforeLink = place.isBeforeLink && index === runs.length - 1
      const text = mustEncodeFirst ? encodeFirst(run.text, writer) : run.text
      writeText(text, writer, { ...place, isBeforeLink })
    }
    mustEncodeFirst = false
  }
  closeUntil([], '')
}

/** Over how many runs from here a mark continues. */
const spanOf = (runs: readonly Run[], from: number, name: Emphasis): number => {
  let end = from
  while (end < runs.length && runs[end]!.marks.includes(name)) end++
  return end - from
}

/** Marks beside each other use different characters. */
const chooseMark = (name: Emphasis, open: readonly OpenMark[], before: string): string => {
  const taken = [open.at(-1)?.mark[0], before]
  const [first, second] = MARKS[name]
  return taken.includes(first[0]) ? second : first
}

const codeSpan = (text: string): string => {
  const fence = '`'.repeat(longestRun(text, '`') + 1)
  const needsSpace = /^`|`$|^ .*[^ ].* $/s.test(text)
  const inner = needsSpace ? ` ${text} ` : text
  return `${fence}${inner}${fence}`
}

const writeLink = (runs: readonly Run[], href: string, writer: Writer): void => {
  const text = runs.map((run) => run.text).join('')
  const isBare = runs.length === 1 && runs[0]!.marks.length === 0 && !runs[0]!.isCode
  if (isBare && AUTOLINK.test(text) && linkTarget(text) === href) {
    writer.add(`<${text}>`)
    return
  }
  const inner = createWriter()
  inner.add('[')
  writeGroup(runs, inner, { isInLink: true, isBeforeLink: false })
  writer.add(`${inner.text()}](${destinationOf(href)})`)
}

const destinationOf = (href: string): string => {
  const escaped = href.replace(/&(?=#?\w+;)/g, '&amp;').replace(/\\/g, '\\\\')
  return /[()\\]/.test(href) ? `<${escaped}>` : escaped
}

/** Writes the first character as an entity, and returns the others. */
const encodeFirst = (text: string, writer: Writer): string => {
  const first = firstOf(text)
  writer.add(entityOf(first))
  return text.slice(first.length)
}

/** Writes text so that every character of it shows. URLs that the renderer links stay as they are. */
const writeText = (text: string, writer: Writer, { isInLink, isBeforeLink }: Place): void => {
  if (text === '\n') {
    writer.add('\n')
    return
  }
  let escaped = escapeWithUrls(text, isInLink)
  if (writer.isAtLineStart()) escaped = escapeLineStart(escaped)
  if (isBeforeLink && escaped.endsWith('!')) escaped = `${escaped.slice(0, -1)}\\!`
  writer.add(escaped)
}
