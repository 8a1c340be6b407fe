import type { ImportFormat } from '../../domain/importing/records.ts'
import { UnreadableFile } from './unreadable-file.ts'

/** Says which system wrote a file, by its first bytes. Refuses a file that no reader knows. */
export const detectFormat = (head: Uint8Array): ImportFormat => {
  const text = new TextDecoder(encodingOf(head)).decode(head)
  const start = text.replace(/^[\ufeff\s]+/, '')
  if (start === '') throw new UnreadableFile('The file is empty.', 1, 1)
  const xml = detectXml(text)
  if (xml) return xml
  throw new UnreadableFile('The file is of no format that can be imported.', 1, 1)
}

/** The name of the encoding that the first bytes of a text say. */
export const encodingOf = (head: Uint8Array): string => {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le'
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be'
  const start = Buffer.from(head.subarray(0, 200)).toString('latin1')
  const said = /^\s*<\?xml[^>]*?encoding=["']([\w-]{1,40})["']/.exec(start)?.[1] ?? 'utf-8'
  try {
    return new TextDecoder(said).encoding
  } catch {
    throw new UnreadableFile(`The encoding ${said} is not known.`, 1, 1)
  }
}

const ROOTS: Readonly<Record<string, ImportFormat>> = { rss: 'wxr', disqus: 'disqus' }
/** Before the XML there may be a warning of a PHP server. */
const XML_START = /<\?xml|<(?:rss|disqus)[\s/>]/
const FIRST_ELEMENT = /<([A-Za-z_][\w:.-]*)/

const detectXml = (text: string): ImportFormat | undefined => {
  const start = XML_START.exec(text)
  if (!start && !/^[\ufeff\s]*</.test(text)) return undefined
  if (start && /^[\ufeff\s]*[{[]/.test(text)) return undefined
  const xml = text.slice(start?.index ?? 0).replace(/<!--.*?(?:-->|$)/gs, '')
  const root = FIRST_ELEMENT.exec(xml)?.[1]
  if (/<!DOCTYPE/i.test(xml.slice(0, 2_000)) && root !== undefined)
    throw new UnreadableFile(
      'The file has a DOCTYPE. Exports have none, and this one is not read.',
      1,
      1,
    )
  const format = root === undefined ? undefined : ROOTS[root]
  if (format) return format
  throw new UnreadableFile(
    root === undefined
      ? 'The file has no element at its start.'
      : `The root element is ${root.slice(0, 80)}: only the exports of WordPress and Disqus are read.`,
    1,
    1,
  )
}
