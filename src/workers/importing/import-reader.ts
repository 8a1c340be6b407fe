import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ResourceLimits, Worker } from 'node:worker_threads'
import type { ImportFault } from '../../domain/importing/import.ts'
import type {
  ReaderBatch,
  ReaderOptions,
  ReaderReply,
  ReaderRequest,
  ReaderTask,
  StagedSummary,
} from './reader-protocol.ts'

/** The file is none that the service can read. */
export class UnreadableImport extends Error {
  readonly fault: ImportFault

  constructor(fault: ImportFault) {
    super(fault.detail)
    this.fault = fault
  }
}

/** A file in a thread of its own: parsing and rendering never delay a request. Any call may reject with `UnreadableImport`. */
export type ImportReader = {
  /** Resolves when the thread wants more. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  /** The whole file is written. Nothing of it is stored before. */
  readonly end: () => Promise<StagedSummary>
  /** Null: there is no more. */
  readonly next: () => Promise<ReaderBatch | null>
  /** Deletes the files of the thread, and ends it. */
  readonly close: () => Promise<void>
}

const SCRIPT = new URL('./import-worker.ts', import.meta.url)
const LIMITS: ResourceLimits = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 }
/** The thread answers faster, unless a file takes forever. */
const REPLY_MS = 300_000
const TOO_LARGE = { detail: 'The file needs too much memory.', line: null, column: null }

export const openImportReader = async (options: ReaderOptions): Promise<ImportReader> => {
  const folder = await mkdtemp(join(tmpdir(), 'afterword-import-'))
  const task: ReaderTask = { ...options, folder }
  // The thread does not load what the process loads first, such as the hooks of a test runner.
  const worker = new Worker(SCRIPT, { workerData: task, resourceLimits: LIMITS, execArgv: [] })
  const waiting: { resolve: (reply: ReaderReply) => void; reject: (error: Error) => void }[] = []
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure ??= error
    for (const { reject } of waiting.splice(0)) reject(error)
  }
  worker.on('message', (reply: ReaderReply) => waiting.shift()?.resolve(reply))
  worker.on('error', (error: NodeJS.ErrnoException) =>
    fail(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? new UnreadableImport(TOO_LARGE) : error),
  )
  worker.on('exit', (code) => fail(new Error(`the thread of the import ended with ${code}`)))

  const ask = async (request: ReaderRequest, withinMs = REPLY_MS): Promise<ReaderReply> => {
    if (failure) throw failure
    const timer = setTimeout(() => void worker.terminate(), withinMs)
    try {
      const reply = await new Promise<ReaderReply>((resolve, reject) => {
        waiting.push({ resolve, reject })
        worker.postMessage(request)
      })
      if (reply.fault) throw new UnreadableImport(reply.fault)
      if (reply.error) throw reply.error
      return reply
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    write: async (bytes) => void (await ask({ write: bytes })),
    end: async () => (await ask({ end: true })).summary!,
    next: async () => (await ask({ next: true })).batch ?? null,
    close: async () => {
      await worker.terminate()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
