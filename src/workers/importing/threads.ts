import type { ThreadRecord } from '../../domain/importing/records.ts'
import type { Emit } from './reader.ts'

const MAX_REMEMBERED = 10_000

/** Hands over the thread of a comment when it is new, or has changed. It forgets threads of long ago. */
export const createThreads = (emit: Emit) => {
  const said = new Map<string, string>()
  return (thread: Omit<ThreadRecord, 'kind'>): void => {
    const text = `${thread.isClosed}${thread.title}`
    if (thread.key === '' || said.get(thread.key) === text) return
    if (said.size >= MAX_REMEMBERED) said.delete(said.keys().next().value!)
    said.set(thread.key, text)
    emit({ kind: 'thread', ...thread })
  }
}
