import type { ImportFormat, ImportRecord } from '../../domain/importing/records.ts'
import { detectFormat, encodingOf } from './detect.ts'
import { createDisqusReader } from './disqus.ts'
import type { Emit, TextReader } from './reader.ts'
import { type Bytes, unpack } from './unpack.ts'
import { UnreadableFile } from './unreadable-file.ts'
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

const TEXT_READERS: Partial<Record<ImportFormat, (emit: Emit) => TextReader>> = {
  wxr: createWxrReader,
  disqus: createDisqusReader,
}

/** The records of an opened file. */
export const recordsOf = (opened: OpenedExport): AsyncGenerator<readonly ImportRecord[]> => {
  const create = TEXT_READERS[opened.format]
  if (create) return readText(opened, create)
  throw new UnreadableFile(`The format ${opened.format} is not read here.`)
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
  for await (const chunk of bytes) {
    reader.write(decoder.decode(chunk, { stream: true }))
    if (records.length >= BATCH_LENGTH) yield* taken()
  }
  reader.write(decoder.decode())
  reader.end()
  yield* taken()
}
