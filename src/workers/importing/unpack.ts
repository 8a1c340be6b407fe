import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Unzip, UnzipInflate } from 'fflate'
import { UnreadableFile } from './unreadable-file.ts'

export type Bytes = AsyncIterable<Uint8Array>

/** Bounds of what an archive unpacks to. The largest comment tables of WordPress are far below. */
export type UnpackLimits = { readonly maxBytes: number; readonly maxRatio: number }
const LIMITS: UnpackLimits = { maxBytes: 16 * 2 ** 30, maxRatio: 200 }
/** Below this size the ratio says nothing: a short text of one letter packs by more. */
const RATIO_FROM_BYTES = 16 * 2 ** 20
/** A zip unpacks by at most a thousand times, so a small piece unpacks to few megabytes. */
const ZIP_PIECE_BYTES = 2_048
const PIECE_BYTES = 65_536
const HEAD_BYTES = 65_536

const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b
const isZip = (head: Uint8Array): boolean =>
  head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5 || head[2] === 7)
const OTHER_ARCHIVES: readonly (readonly [string, string])[] = [
  ['425a68', 'bzip2'],
  ['fd377a585a00', 'xz'],
  ['28b52ffd', 'zstd'],
  ['377abcaf271c', '7z'],
  ['526172211a07', 'rar'],
]

export type Opened = { readonly head: Uint8Array; readonly bytes: Bytes }

/** Unpacks a gzip or a zip of one file, and reads the first bytes of what is inside. */
export const unpack = async (chunks: Bytes, limits: UnpackLimits = LIMITS): Promise<Opened> => {
  const packed = await readHead(chunks)
  refuseOtherArchive(packed.head)
  const unpacked = isGzip(packed.head)
    ? limit(gunzip(packed.bytes), limits)
    : isZip(packed.head)
      ? limit(unzip(packed.bytes), limits)
      : null
  if (!unpacked) return { head: packed.head, bytes: inPieces(packed.bytes) }
  const { head, bytes } = await readHead(unpacked)
  refuseOtherArchive(head)
  if (isGzip(head) || isZip(head))
    throw new UnreadableFile('The archive contains another archive. Unpack the outer one first.')
  return { head, bytes: inPieces(bytes) }
}

const refuseOtherArchive = (head: Uint8Array): void => {
  const hex = Buffer.from(head.subarray(0, 8)).toString('hex')
  const found = OTHER_ARCHIVES.find(([magic]) => hex.startsWith(magic))
  if (found)
    throw new UnreadableFile(`The file is a ${found[1]} archive. Only gzip and zip are unpacked.`)
}

/** Reads the start of a stream, and gives a stream that still begins with it. */
const readHead = async (chunks: Bytes): Promise<Opened> => {
  const iterator = chunks[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  let length = 0
  let isDone = false
  while (length < HEAD_BYTES && !isDone) {
    const next = await iterator.next()
    if (next.done) isDone = true
    else {
      pieces.push(next.value)
      length += next.value.length
    }
  }
  const head = Buffer.concat(pieces).subarray(0, HEAD_BYTES)
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = pieces.shift()
        if (piece) {
          yield piece
          continue
        }
        if (isDone) return
        const next = await iterator.next()
        if (next.done) return
        yield next.value
      }
    } finally {
      await iterator.return?.()
    }
  }
  return { head, bytes: rest() }
}

const inPieces = async function* (chunks: Bytes): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += PIECE_BYTES)
      yield chunk.subarray(at, at + PIECE_BYTES)
}

/** Unpacked bytes, with how many packed bytes they came from so far. */
type Unpacked = { readonly bytes: Uint8Array; readonly packedBytes: number }

const limit = async function* (
  pieces: AsyncIterable<Unpacked>,
  { maxBytes, maxRatio }: UnpackLimits,
): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const { bytes, packedBytes } of pieces) {
    length += bytes.length
    if (length > maxBytes)
      throw new UnreadableFile(`The archive unpacks to more than ${maxBytes} bytes.`)
    if (length > RATIO_FROM_BYTES && length > packedBytes * maxRatio)
      throw new UnreadableFile(
        `The archive unpacks to more than ${maxRatio} times its size, which no export does.`,
      )
    yield bytes
  }
}

const gunzip = async function* (chunks: Bytes): AsyncGenerator<Unpacked> {
  const stream = createGunzip()
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: PIECE_BYTES })
  pipeline(source, stream, () => {})
  try {
    for await (const bytes of stream) yield { bytes, packedBytes: stream.bytesWritten }
  } catch (error) {
    throw isZlibError(error) ? new UnreadableFile(`The gzip file is damaged or cut off.`) : error
  } finally {
    source.destroy()
  }
}

const isZlibError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')

const unzip = async function* (chunks: Bytes): AsyncGenerator<Unpacked> {
  const zip = createUnzipper()
  let packedBytes = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += ZIP_PIECE_BYTES) {
      const piece = chunk.subarray(at, at + ZIP_PIECE_BYTES)
      packedBytes += piece.length
      for (const bytes of zip.push(piece, false)) yield { bytes, packedBytes }
    }
  }
  for (const bytes of zip.push(new Uint8Array(0), true)) yield { bytes, packedBytes }
  zip.assertWhole()
}

const createUnzipper = () => {
  let pieces: Uint8Array[] = []
  let fileCount = 0
  let isWhole = false
  const unzipper = new Unzip((file) => {
    if (file.name.endsWith('/') || file.name.startsWith('__MACOSX/')) return
    fileCount++
    if (fileCount > 1)
      throw new UnreadableFile('The zip contains more than one file. Import one file at a time.')
    file.ondata = (error, bytes, isLast) => {
      if (error) throw new UnreadableFile('The zip is damaged.')
      if (bytes.length > 0) pieces.push(bytes)
      isWhole ||= isLast
    }
    try {
      file.start()
    } catch (error) {
      throw new UnreadableFile(`The zip is packed in a way that is not read: ${String(error)}`)
    }
  })
  unzipper.register(UnzipInflate)
  return {
    push: (piece: Uint8Array, isLast: boolean): Uint8Array[] => {
      pieces = []
      try {
        unzipper.push(piece, isLast)
      } catch (error) {
        throw error instanceof UnreadableFile
          ? error
          : new UnreadableFile('The zip is damaged or cut off.')
      }
      return pieces
    },
    assertWhole: (): void => {
      if (fileCount === 0) throw new UnreadableFile('The zip contains no file.')
      if (!isWhole) throw new UnreadableFile('The zip is cut off.')
    },
  }
}
