import { SaxesParser } from 'saxes'
import type { RepairRecord } from '../../domain/importing/records.ts'
import { UnreadableFile } from './unreadable-file.ts'

const MAX_DEPTH = 100
const MAX_ATTRIBUTES = 100
const MAX_ATTRIBUTE_LENGTH = 65_536
const MAX_TEXT_LENGTH = 8_388_608
/** How much of a chunk's end waits for the next chunk, because a mark could be cut in two there. */
const MAX_TAIL = 40

/** These stand in for a bare `&` and for a character that XML forbids. XML forbids both, so no file has them. */
const AMPERSAND = '\u0001'
const FORBIDDEN = '\u0002'
const CONTROLS = /[^\t\n\r\u0020-\ufffd]/g
const BARE_AMPERSAND = /&(?!#?\w{1,31};)/g
const UNQUOTED = /(=[\w.-]+)\/>/g

/** Faults that saxes reports and reads past without loss, and what is said of each. */
const MENDED: readonly (readonly [RegExp, string])[] = [
  [/^the string "]]>"/, 'the marks ]]> stand in a text'],
  [/^undefined entity/, 'an unknown entity was kept as text'],
  [/^unquoted attribute value/, 'an attribute without quotes was read'],
  [/^an XML declaration must be at the start/, 'text or white space precedes the XML declaration'],
  [/^the XML declaration must appear at the start/, 'white space precedes the XML declaration'],
]

export type XmlHandlers = {
  readonly open: (path: readonly string[], attributes: Readonly<Record<string, string>>) => void
  /** `text` is the text of the element itself, without that of elements inside. */
  readonly close: (path: readonly string[], text: string) => void
  readonly repair: (repair: RepairRecord) => void
  /** Whether the reader needs the text of the element. The text of others is dropped as it arrives. */
  readonly isTextWanted: (path: readonly string[]) => boolean
}

export type XmlReader = {
  readonly write: (chunk: string) => void
  readonly end: () => void
  /** Refuses the file at the place that was read last. */
  readonly refuse: (sentence: string) => never
  /** Reports a mended fault at the place that was read last. */
  readonly repair: (what: string) => void
  readonly line: () => number
}

/** Reads XML piece by piece. Entities of a DOCTYPE are never expanded: a file with a DOCTYPE is refused. */
export const createXmlReader = (handlers: XmlHandlers): XmlReader => {
  const parser = new SaxesParser({ xmlns: false, position: true })
  const mend = createMender()
  const path: string[] = []
  const texts: string[][] = []
  const declared = new Set<string>(['xml'])
  let textLength = 0
  let isWanted = false
  let attributeCount = 0
  let hasRoot = false

  const refuse = (sentence: string): never => {
    throw new UnreadableFile(sentence, parser.line, parser.column)
  }
  const repair = (what: string): void =>
    handlers.repair({ kind: 'repair', what, line: parser.line, column: parser.column })

  const addText = (text: string): void => {
    if (!isWanted || text === '') return
    textLength += text.length
    if (textLength > MAX_TEXT_LENGTH) refuse(`A text is longer than ${MAX_TEXT_LENGTH} characters.`)
    texts.at(-1)?.push(text)
  }
  const checkPrefix = (name: string): void => {
    const prefix = name.includes(':') ? name.slice(0, name.indexOf(':')) : ''
    if (prefix === '' || prefix === 'xmlns' || declared.has(prefix)) return
    declared.add(prefix)
    repair(`the prefix ${prefix.slice(0, 40)} is not declared`)
  }

  parser.on('error', (error) => {
    const fault = error.message.replace(/^[^:]*?\d+:\d+: /, '')
    if (fault === 'disallowed character.') {
      repair(
        mend.isAmpersandAt(parser.position - 1)
          ? 'a bare & was read as text'
          : 'a character that XML forbids was left out',
      )
      return
    }
    if (fault === 'text data outside of root node.' && !hasRoot) {
      repair('text precedes the root element')
      return
    }
    const known = MENDED.find(([pattern]) => pattern.test(fault))
    if (known === undefined) refuse(sentenceOf(fault))
    else repair(known[1])
  })
  parser.on('doctype', () => {
    refuse('The file has a DOCTYPE. Exports have none, and this one is not read.')
  })
  parser.on('opentagstart', () => {
    attributeCount = 0
    hasRoot = true
    if (path.length >= MAX_DEPTH) refuse(`Elements nest deeper than ${MAX_DEPTH} levels.`)
  })
  parser.on('attribute', ({ name, value }) => {
    if (++attributeCount > MAX_ATTRIBUTES) refuse('An element has too many attributes.')
    if (value.length > MAX_ATTRIBUTE_LENGTH) refuse('An attribute is too long.')
    if (name.startsWith('xmlns:')) declared.add(name.slice('xmlns:'.length))
  })
  parser.on('opentag', ({ name, attributes }) => {
    checkPrefix(name)
    for (const key of Object.keys(attributes)) checkPrefix(key)
    path.push(name)
    texts.push([])
    textLength = 0
    isWanted = handlers.isTextWanted(path)
    handlers.open(path, attributes)
  })
  parser.on('closetag', () => {
    handlers.close(path, unmend(texts.pop()!.join('')))
    path.pop()
    isWanted = path.length > 0 && handlers.isTextWanted(path)
  })
  parser.on('text', addText)
  parser.on('cdata', addText)

  const checkPending = (): void => {
    const { text, name, entity } = parser as unknown as Record<string, string | undefined>
    const length = (text?.length ?? 0) + (name?.length ?? 0) + (entity?.length ?? 0)
    if (length > MAX_TEXT_LENGTH) refuse(`A text is longer than ${MAX_TEXT_LENGTH} characters.`)
  }
  const feed = (chunk: string): void => {
    if (chunk === '') return
    parser.write(chunk)
    checkPending()
  }
  return {
    write: (chunk) => feed(mend.mend(chunk, false)),
    end: () => {
      feed(mend.mend('', true))
      parser.close()
    },
    refuse,
    repair,
    line: () => parser.line,
  }
}

const sentenceOf = (fault: string): string => {
  const unclosed = /^unclosed tag: (.{1,80})/.exec(fault)
  if (unclosed) return `The file is cut off: the element ${unclosed[1]} does not end.`
  if (fault === 'unexpected end.') return 'The file is cut off.'
  return `The file is not well-formed XML: ${fault.slice(0, 200)}`
}

const unmend = (text: string): string =>
  text.includes(AMPERSAND) || text.includes(FORBIDDEN)
    ? text.replaceAll(AMPERSAND, '&').replaceAll(FORBIDDEN, '')
    : text

/** Parts of XML in which a `&` is a plain character, and how they begin and end. */
const SECTIONS = [
  { open: '<![CDATA[', close: ']]>' },
  { open: '<!--', close: '-->' },
] as const
const SECTION_OPEN = /<!\[CDATA\[|<!--/g

/**
 * Replaces each bare `&`, and each character that XML forbids, by one character of the same length. Lines
 * and columns stay those of the file.
 */
const createMender = () => {
  let tail = ''
  /** The end of the section that a chunk has begun; empty outside. */
  let close = ''
  let fed = ''
  let fedAt = 0

  const mendSections = (text: string): string => {
    const parts: string[] = []
    let at = 0
    while (at < text.length) {
      const start = at
      if (close === '') {
        SECTION_OPEN.lastIndex = at
        const found = SECTION_OPEN.exec(text)
        at = found ? SECTION_OPEN.lastIndex : text.length
        if (found) close = SECTIONS.find(({ open }) => open === found[0])!.close
        parts.push(mendOutside(text.slice(start, at)))
      } else {
        const found = text.indexOf(close, at)
        at = found < 0 ? text.length : found + close.length
        if (found >= 0) close = ''
        parts.push(text.slice(start, at))
      }
    }
    return parts.join('')
  }
  const mend = (chunk: string, isLast: boolean): string => {
    const text = tail + chunk
    const cut = isLast ? text.length : tailStart(text)
    tail = text.slice(cut)
    fedAt += fed.length
    fed = mendSections(text.slice(0, cut).replace(CONTROLS, FORBIDDEN))
    return fed
  }
  const isAmpersandAt = (position: number): boolean => fed[position - fedAt] === AMPERSAND
  return { mend, isAmpersandAt }
}

/** A space ends the value of an attribute without quotes; else its value would swallow the `/`. */
const mendOutside = (text: string): string =>
  text.replace(BARE_AMPERSAND, AMPERSAND).replace(UNQUOTED, '$1 />')

/** The place where a mark may begin that the next chunk completes. */
const tailStart = (text: string): number => {
  const from = Math.max(0, text.length - MAX_TAIL)
  const found = /[&<\]-][^&<]*$/.exec(text.slice(from))
  return found ? from + found.index : text.length
}
