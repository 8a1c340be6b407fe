import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type {
  CommentRecord,
  ImportFormat,
  ImportRecord,
} from '../../../src/domain/importing/records.ts'
import { readExport } from '../../../src/workers/importing/read-export.ts'

const DATA = join(import.meta.dirname, '../../../../shared/data')

/** The content of a file of real exports. Where the folder is absent, the test is skipped. */
export const realFile = (t: Test, path: string): Buffer | undefined => {
  const file = join(DATA, path)
  if (existsSync(file)) return readFileSync(file)
  t.pass(`skipped: ${path} is not here: a clone has no ../shared/data`)
  return undefined
}

export type Read = { readonly format: ImportFormat; readonly records: readonly ImportRecord[] }

const inChunks = async function* (content: Uint8Array, chunkBytes: number) {
  for (let at = 0; at < content.length; at += chunkBytes)
    yield content.subarray(at, at + chunkBytes)
}

/** Reads a file that arrives in chunks. */
export const readAll = async (
  content: Uint8Array | string,
  { chunkBytes = 65_536, format }: { chunkBytes?: number; format?: ImportFormat } = {},
): Promise<Read> => {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const opened = await readExport(inChunks(bytes, chunkBytes), format ? { format } : {})
  const records: ImportRecord[] = []
  for await (const batch of opened.records) {
    if (batch.length > 500) throw new Error(`a batch has ${batch.length} records`)
    records.push(...batch)
  }
  return { format: opened.format, records }
}

export const commentsOf = ({ records }: Read): CommentRecord[] =>
  records.filter((record) => record.kind === 'comment')

const counted = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

export type Summary = {
  readonly format: ImportFormat
  readonly origin: string
  readonly comments: number
  /** Threads that have comments. */
  readonly threads: number
  /** Levels of replies below the root comments. */
  readonly depth: number
  readonly statuses: Record<string, number>
  readonly skips: Record<string, number>
  readonly repairs: readonly string[]
}

/** The numbers that a test writes down for a file. */
export const summaryOf = (read: Read): Summary => {
  const comments = commentsOf(read)
  const origin = read.records.find((record) => record.kind === 'origin')
  return {
    format: read.format,
    origin: origin?.origin ?? '',
    comments: comments.length,
    threads: new Set(comments.map(({ threadKey }) => threadKey)).size,
    depth: depthOf(comments),
    statuses: counted(comments.map(({ status }) => status)),
    skips: counted(
      read.records.flatMap((record) => (record.kind === 'skip' ? [record.reason] : [])),
    ),
    repairs: read.records.flatMap((record) =>
      record.kind === 'repair' ? [`${record.line}:${record.column} ${record.what}`] : [],
    ),
  }
}

const depthOf = (comments: readonly CommentRecord[]): number => {
  const keyOf = (threadKey: string, id: string) => `${threadKey} ${id}`
  const parents = new Map(comments.map((one) => [keyOf(one.threadKey, one.id), one.parentId]))
  const depths = comments.map(({ threadKey, parentId }) => {
    const seen = new Set<string>()
    let depth = 0
    let parent = parentId
    while (parent !== null && parents.has(keyOf(threadKey, parent)) && !seen.has(parent)) {
      seen.add(parent)
      depth++
      parent = parents.get(keyOf(threadKey, parent)) ?? null
    }
    return depth
  })
  return Math.max(0, ...depths)
}

const NOTHING = { comments: 0, threads: 0, depth: 0, statuses: {}, skips: {}, repairs: [] }

/** Compares a file of real exports with the numbers that are written down for it. */
export const expectFile = async (
  t: Test,
  path: string,
  expected: Partial<Summary>,
): Promise<void> => {
  const content = realFile(t, path)
  if (content) t.same(summaryOf(await readAll(content)), { ...NOTHING, origin: '', ...expected })
}
