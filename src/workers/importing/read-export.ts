import type { ImportFormat, ImportRecord } from '../../domain/importing/records.ts'
import { createArtalkReader } from './artalk.ts'
import { createCommentoReader } from './commento.ts'
import { createCoralReader } from './coral.ts'
import { createCusdisReader } from './cusdis.ts'
import { detectFormat, encodingOf } from './detect.ts'
import { createDisqusReader } from './disqus.ts'
import { createGarrulReader } from './garrul.ts'
import { createGenericReader } from './generic.ts'
import type { Emit, TextReader } from './reader.ts'
import { createRemark42Reader } from './remark42.ts'
import { isSqlite, readSqlite } from './sqlite.ts'
import { type Bytes, unpack } from './unpack.ts'
import { UnreadableFile } from './unreadable-file.ts'
import { createValineReader } from './valine.ts'
import { createWxrReader } from './wxr.ts'

const BATCH_LENGTH = 500

export type OpenedExport = {
  readonly format: ImportFormat
  /** The unpacked file. */
  readonly bytes: Bytes
  readonly head: Uint8Array
}

/** Unpacks a file and says its format. Refuses with `UnreadableFile` what is no export. */
export const openExport = async (
  chunks: Bytes,
  { format }: { readonly format?: ImportFormat } = {},
): Promise<OpenedExport> => {
  const { head, bytes } = await unpack(chunks)
  return { format: format ?? detectFormat(head), bytes, head }
}

export type ReadExport = {
  readonly format: ImportFormat
  /** Records in the order of the file, at most 500 at a time. */
  readonly records: AsyncGenerator<readonly ImportRecord[]>
}

/**
 * Reads an export of another system piece by piece: memory does not grow with the file. The records fail
 * with `UnreadableFile` if the file is cut off or damaged, which may be noticed only at its end.
 */
export const readExport = async (
  chunks: Bytes,
  options: { readonly format?: ImportFormat } = {},
): Promise<ReadExport> => {
  const opened = await openExport(chunks, options)
  return { format: opened.format, records: recordsOf(opened) }
}

type TextFormat = Exclude<ImportFormat, 'isso' | 'afterword'>

const TEXT_READERS: Record<TextFormat, (emit: Emit) => TextReader> = {
  wxr: createWxrReader,
  disqus: createDisqusReader,
  commento: createCommentoReader('commento'),
  comentario: createCommentoReader('comentario'),
  remark42: createRemark42Reader,
  artalk: createArtalkReader,
  waline: createValineReader('waline'),
  twikoo: createValineReader('twikoo'),
  valine: createValineReader('valine'),
  cusdis: createCusdisReader,
  coral: createCoralReader,
  garrul: createGarrulReader,
  generic: createGenericReader,
}

/** The records of an opened file. */
export const recordsOf = (opened: OpenedExport): AsyncGenerator<readonly ImportRecord[]> => {
  if (isSqlite(opened.head)) return readSqlite(opened.format, opened.bytes)
  if (opened.format === 'isso')
    throw new UnreadableFile('The file is no SQLite database, as that of Isso is.', 1, 1)
  if (opened.format === 'afterword')
    throw new UnreadableFile('The export of this service has records of its own.', 1, 1)
  return readText(opened, TEXT_READERS[opened.format])
}

const readText = async function* (
  { bytes, head }: OpenedExport,
  create: (emit: Emit) => TextReader,
): AsyncGenerator<readonly ImportRecord[]> {
  let records: ImportRecord[] = []
  const reader = create((record) => records.push(record))
  const decoder = new TextDecoder(encodingOf(head))
  const taken = function* (): Generator<readonly ImportRecord[]> {
    for (let at = 0; at < records.length; at += BATCH_LENGTH)
      yield records.slice(at, at + BATCH_LENGTH)
    records = []
  }
  try {
    for await (const chunk of bytes) {
      reader.write(decoder.decode(chunk, { stream: true }))
      if (records.length >= BATCH_LENGTH) yield* taken()
    }
    reader.write(decoder.decode())
    reader.end()
    for (const _ of reader.drain?.() ?? []) if (records.length >= BATCH_LENGTH) yield* taken()
    yield* taken()
  } finally {
    reader.close?.()
  }
}
