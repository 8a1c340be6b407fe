import { findFaultOfHeader, findFaultOfLine } from '../../domain/exporting/lines.ts'
import type { ImportRecord, RepairRecord } from '../../domain/importing/records.ts'
import { type PreparedBatch, prepareBatch, skipReasonOf } from './prepare-comments.ts'
import { openExport, recordsOf } from './read-export.ts'
import type { ReaderBatch, ReaderTask, StagedSummary } from './reader-protocol.ts'
import { openStaging, type StagedPart, type Staging } from './staging.ts'
import { UnreadableFile } from './unreadable-file.ts'

type Staged = {
  readonly summary: StagedSummary
  readonly batches: () => Generator<ReaderBatch>
}

const MAX_LISTED = 1_000

/** Reads a whole file and keeps its records on disk. */
export const stageFile = async (
  chunks: AsyncIterable<Uint8Array>,
  { format: wanted, unapproved, folder, batchSize }: ReaderTask,
): Promise<Staged> => {
  const staging = openStaging(folder, batchSize)
  const skipped: Record<string, number> = {}
  const firstRepairs: Omit<RepairRecord, 'kind'>[] = []
  let [origin, repairs]: [string | null, number] = [null, 0]
  const take = (record: ImportRecord): void => {
    if (record.kind === 'origin') origin = record.origin
    else if (record.kind === 'thread') staging.addThread(record)
    else if (record.kind === 'skip') skipped[record.reason] = (skipped[record.reason] ?? 0) + 1
    else if (record.kind === 'repair') {
      repairs += 1
      if (firstRepairs.length < MAX_LISTED) firstRepairs.push(record)
    } else {
      const reason = skipReasonOf(record, unapproved)
      if (reason) skipped[reason] = (skipped[reason] ?? 0) + 1
      else staging.addComment(record)
    }
  }
  const opened = await openExport(chunks, wanted ? { format: wanted } : {})
  const { format } = opened
  if (format === 'afterword') {
    for await (const line of readLines(opened.bytes)) staging.addLine(line)
  } else for await (const records of recordsOf(opened)) records.forEach(take)
  const counted = staging.finish()
  return {
    summary: {
      format,
      origin: origin ?? format,
      ...counted,
      skipped,
      repairs,
      firstRepairs,
    },
    batches: () =>
      format === 'afterword' ? lineBatches(staging) : commentBatches(staging, batchSize),
  }
}

/** A longer line is none that the service writes. */
const MAX_LINE_LENGTH = 8_388_608

/** The lines of a site export, each of which must be as `docs/export.md` describes it. */
async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [rest, number] = ['', 0]
  const take = (line: string): string => {
    number += 1
    const fault = faultOf(line, number === 1)
    if (fault !== undefined) throw new UnreadableFile(fault, number, 1)
    return line
  }
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    if (rest.length > MAX_LINE_LENGTH)
      throw new UnreadableFile('This line is too long.', number + 1, 1)
    for (const line of lines) yield take(line)
  }
  if (rest !== '')
    throw new UnreadableFile('The file is cut off: its last line has no end.', number + 1, 1)
}

const faultOf = (line: string, isHeader: boolean): string | undefined => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return 'This is no JSON.'
  }
  return isHeader ? findFaultOfHeader(value) : findFaultOfLine(value)
}

function* lineBatches(staging: Staging): Generator<ReaderBatch> {
  for (const lines of staging.lines()) yield { lines: lines.map((line) => JSON.parse(line)) }
}

/** Threads with few comments share a batch. */
function* commentBatches(staging: Staging, batchSize: number): Generator<PreparedBatch> {
  let parts: StagedPart[] = []
  let size = 0
  for (const part of staging.parts()) {
    if (size + part.comments.length > batchSize && size > 0) {
      yield prepareBatch(parts)
      ;[parts, size] = [[], 0]
    }
    parts.push(part)
    size += part.comments.length
  }
  if (parts.length > 0) yield prepareBatch(parts)
}
