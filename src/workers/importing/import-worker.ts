import { parentPort, workerData } from 'node:worker_threads'
import type { ImportFault } from '../../domain/importing/import.ts'
import type { ReaderReply, ReaderRequest, ReaderTask } from './reader-protocol.ts'
import { stageFile } from './stage-file.ts'
import { UnreadableFile } from './unreadable-file.ts'

/** The thread of `openImportReader`: stages the file while it arrives, then prepares one part after the other. */

type Chunk = { readonly bytes: Uint8Array | null; readonly onTaken: () => void }

const waiting: Chunk[] = []
let wake = (): void => {}

const takeChunks = async function* (): AsyncGenerator<Uint8Array> {
  for (;;) {
    while (waiting.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    const { bytes, onTaken } = waiting.shift()!
    onTaken()
    if (bytes === null) return
    yield bytes
  }
}

const staged = stageFile(takeChunks(), workerData as ReaderTask)
/** A fault of the file is the reply to the next request. */
staged.catch(() => {})
const batches = staged.then(({ batches }) => batches())
batches.catch(() => {})

const give = (bytes: Uint8Array | null): Promise<void> =>
  new Promise((resolve) => {
    waiting.push({ bytes, onTaken: resolve })
    wake()
  })

const perform = async (request: ReaderRequest): Promise<ReaderReply> => {
  if ('write' in request) {
    await Promise.race([give(request.write), staged])
    return {}
  }
  if ('end' in request) {
    void give(null)
    return { summary: (await staged).summary }
  }
  return { batch: (await batches).next().value ?? null }
}

const toFault = (error: unknown): ImportFault | undefined =>
  error instanceof UnreadableFile
    ? { detail: error.message, line: error.line, column: error.column }
    : undefined

parentPort!.on('message', (request: ReaderRequest) => {
  void perform(request)
    .catch((error): ReaderReply => {
      const fault = toFault(error)
      return fault ? { fault } : { error: error as Error }
    })
    .then((reply) => parentPort!.postMessage(reply))
})
