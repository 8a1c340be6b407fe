import { createHash } from 'node:crypto'
import type { Instant } from '../../domain/instant.ts'

/**
 * The form of a backup: a line of JSON for the header, then for each table a line of JSON, its rows as `COPY` writes
 * them as text, and `\.`; finally a line of JSON for the end. Rows are portable between versions of Postgres.
 */
const FORMAT = 'afterword-backup'
const VERSION = 1

export type BackupHeader = {
  readonly format: typeof FORMAT
  readonly version: typeof VERSION
  /** The version of the service that wrote the backup. */
  readonly service: string
  readonly at: Instant
  /** The names of the migrations that made the tables. */
  readonly migrations: readonly string[]
}

export type BackupTable = { readonly table: string; readonly columns: readonly string[] }

export type BackupEnd = {
  /** The number of rows of each table. */
  readonly rows: Readonly<Record<string, number>>
  readonly counters: readonly Counter[]
  /** The hash of everything before the end. */
  readonly sha256: string
}

/** An identity column and the last number that it gave. */
export type Counter = { readonly table: string; readonly column: string; readonly last: number }

/** A file that is no backup, or not a whole one, or one that this version cannot restore. */
export class BackupFault extends Error {}

export const createHeader = (
  about: Pick<BackupHeader, 'service' | 'at' | 'migrations'>,
): BackupHeader => ({ format: FORMAT, version: VERSION, ...about })

export const toLine = (value: BackupHeader | BackupTable | BackupEnd): Buffer =>
  Buffer.from(`${JSON.stringify(value)}\n`)

/** The line after the rows of a table. `COPY` writes a backslash of a row as two. */
export const END_OF_ROWS = Buffer.from('\\.\n')
const LATER_END = Buffer.concat([Buffer.from('\n'), END_OF_ROWS])

const NEWLINE = 0x0a
/** A header with a thousand migrations is shorter. */
const MAX_LINE_BYTES = 1_048_576
const NOT_WHOLE = 'The file is not whole: it ends too early.'
const NO_BACKUP = 'The file is no backup of Afterword.'

export type BackupReader = {
  readonly readHeader: () => Promise<BackupHeader>
  /**
   * Yields each table with its rows, which must be read before the next table. Then verifies that the file is whole
   * and unchanged.
   * @returns the end
   */
  readonly readTables: () => AsyncGenerator<
    BackupTable & { rows: AsyncGenerator<Buffer> },
    BackupEnd
  >
}

/** Reads the unpacked bytes of a backup. Throws a BackupFault if they are not those that were written. */
export const createBackupReader = (chunks: AsyncIterable<Buffer>): BackupReader => {
  const source = chunks[Symbol.asyncIterator]()
  const digest = createHash('sha256')
  let rest: Buffer = Buffer.alloc(0)

  const readMore = async (): Promise<void> => {
    const { value, done } = await source.next()
    if (done) throw new BackupFault(NOT_WHOLE)
    rest = rest.length === 0 ? value : Buffer.concat([rest, value])
  }

  const take = (length: number): Buffer => {
    const taken = rest.subarray(0, length)
    rest = rest.subarray(length)
    digest.update(taken)
    return taken
  }

  const readLine = async (): Promise<Record<string, unknown>> => {
    for (;;) {
      const end = rest.indexOf(NEWLINE)
      if (end >= 0) return parseLine(take(end + 1))
      if (rest.length > MAX_LINE_BYTES) throw new BackupFault(NO_BACKUP)
      await readMore()
    }
  }

  /** Each piece has whole rows, so that the rest always begins with a line. */
  async function* readRows(): AsyncGenerator<Buffer> {
    for (;;) {
      const end = findEndOfRows(rest)
      const length = end ?? rest.lastIndexOf(NEWLINE) + 1
      if (length > 0) yield take(length)
      if (end !== undefined) break
      await readMore()
    }
    take(END_OF_ROWS.length)
  }

  async function* readTables(): ReturnType<BackupReader['readTables']> {
    for (;;) {
      const before = digest.copy().digest('hex')
      const line = await readLine()
      if (!isTable(line)) {
        const end = line as BackupEnd
        if (end.sha256 !== before) throw new BackupFault('The file is not as it was written.')
        if (rest.length > 0 || !(await source.next()).done)
          throw new BackupFault('The file goes on behind its end.')
        return end
      }
      yield { ...line, rows: readRows() }
    }
  }

  return { readHeader: async () => validateHeader(await readLine()), readTables }
}

/** The index of the end of rows, in bytes that begin with a line. */
const findEndOfRows = (bytes: Buffer): number | undefined => {
  if (bytes.subarray(0, END_OF_ROWS.length).equals(END_OF_ROWS)) return 0
  const before = bytes.indexOf(LATER_END)
  return before < 0 ? undefined : before + 1
}

const parseLine = (line: Buffer): Record<string, unknown> => {
  try {
    return { ...JSON.parse(line.toString()) }
  } catch {
    throw new BackupFault(NO_BACKUP)
  }
}

const isTable = (line: object): line is BackupTable => 'table' in line && 'columns' in line

const validateHeader = (line: Record<string, unknown>): BackupHeader => {
  if (line.format !== FORMAT) throw new BackupFault(NO_BACKUP)
  if (line.version !== VERSION)
    throw new BackupFault(
      `The backup has version ${String(line.version)} of its form, and this Afterword knows version ${VERSION}.`,
    )
  return line as BackupHeader
}
