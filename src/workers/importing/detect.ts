import type { ImportFormat } from '../../domain/importing/records.ts'
import { formatOfSqlite, isSqlite } from './sqlite.ts'
import { UnreadableFile } from './unreadable-file.ts'

const refuse = (sentence: string): never => {
  throw new UnreadableFile(sentence, 1, 1)
}

/** Says which system wrote a file, by its first bytes. Refuses a file that no reader knows. */
export const detectFormat = (head: Uint8Array): ImportFormat => {
  if (isSqlite(head)) return formatOfSqlite(head)
  const text = new TextDecoder(encodingOf(head)).decode(head).replace(/^[\ufeff\s]+/, '')
  if (text === '') return refuse('The file is empty.')
  if (/^[{[]/.test(text)) return detectJson(text)
  if (text.startsWith('#filetype:JSON-streaming')) return 'valine'
  const xml = detectXml(text)
  if (xml) return xml
  if (isCoral(text)) return 'coral'
  if (/^(?:--|\/\*|begin transaction|create |insert |drop |set |pragma )/i.test(text))
    return refuse(
      'The file is a dump of SQL statements, which is not read. Export JSON, or import the SQLite database.',
    )
  return refuse('The file is of no format that can be imported.')
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
    return refuse(`The encoding ${said} is not known.`)
  }
}

const ROOTS: Readonly<Record<string, ImportFormat>> = { rss: 'wxr', disqus: 'disqus' }
/** Before the XML there may be a warning of a PHP server. */
const XML_START = /<\?xml|<(?:rss|disqus)[\s/>]/
const FIRST_ELEMENT = /<([A-Za-z_][\w:.-]*)/

const detectXml = (text: string): ImportFormat | undefined => {
  const start = XML_START.exec(text)
  if (!start && !text.startsWith('<')) return undefined
  const xml = text.slice(start?.index ?? 0).replace(/<!--.*?(?:-->|$)/gs, '')
  const root = FIRST_ELEMENT.exec(xml)?.[1]
  if (/<!DOCTYPE/i.test(xml.slice(0, 2_000)))
    return refuse('The file has a DOCTYPE. Exports have none, and this one is not read.')
  if (root === undefined) return refuse('The file has no element at its start.')
  return (
    ROOTS[root] ??
    refuse(
      `The root element is ${root.slice(0, 80)}: only exports of WordPress and Disqus are read.`,
    )
  )
}

const isCoral = (text: string): boolean => {
  const header = text.slice(0, text.search(/[\r\n]|$/)).toLowerCase()
  return /comment id/.test(header) && /(?:article|story) url/.test(header)
}

/** The keys that say which system wrote a JSON file, in the order in which they are tried. */
const KEYS: readonly (readonly [ImportFormat, readonly string[]])[] = [
  ['artalk', ['page_key', 'content']],
  ['commento', ['commentHex', 'domain']],
  ['comentario', ['commentHex', 'host']],
  ['comentario', ['pageId', 'userCreated']],
  ['comentario', ['pages', 'commenters']],
  ['garrul', ['post_slug', 'body_md']],
  ['waline', ['tables', 'data', 'type']],
  ['twikoo', ['_id', 'comment', 'nick']],
  ['valine', ['objectId', 'comment', 'nick']],
  ['generic', ['id', 'title', 'comments']],
  ['generic', ['comments', 'remote_addr']],
]

const detectJson = (text: string): ImportFormat => {
  const line = text.slice(0, text.search(/[\r\n]|$/))
  if (/"format"\s*:\s*"afterword"/.test(line)) return 'afterword'
  if (/^\{[^{[]*"source"\s*:\s*"cusdis"/.test(text)) return 'cusdis'
  if (/^\{\s*"version"\s*:\s*\d+\s*,\s*"users"\s*:\s*(?:\[|null)/.test(text)) return 'remark42'
  const keys = new Set([...text.matchAll(/"([\w$]{1,40})"\s*:/g)].map(([, key]) => key))
  if (keys.has('locator') && keys.has('pid'))
    return refuse(
      'The file is a response of the API of Remark42. Import a backup: it has the votes and all sites.',
    )
  const found = KEYS.find(([, wanted]) => wanted.every((key) => keys.has(key)))
  if (found) return found[0]
  if (/^\{\s*"version"\s*:\s*\d+/.test(text)) return 'comentario'
  return refuse('The JSON is of no system that can be imported.')
}
