import type { FoundThread, ThreadQuery } from '../../cache/threads.ts'
import type { Thread } from '../../domain/comment/comment.ts'
import type { Encoding, Page } from '../../domain/page-store.ts'
import { Refusal } from '../../domain/refusal.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

/** What every read of a thread says besides what it asks for. */
export type ThreadReadOptions = {
  /** A version that the reader knows of: the answer shows it, or a newer one. */
  readonly atLeast: number
  /** Names everything that shapes the bytes, but for the thread and its version. */
  readonly variant: string
  readonly encoding: Encoding
}

/**
 * The visible thread as it is now. What is remembered is not older than `atLeast`; when what
 * Postgres says is, that version was never given out for this thread.
 */
export const findCurrentThread = async (
  context: Context,
  question: ThreadQuery,
  atLeast: number,
): Promise<FoundThread | undefined> => {
  const found = await context.threads.find(question, atLeast)
  if (found && found.thread.version < atLeast) {
    throw new Refusal('invalid_request', { at_least: 'is not a version of this thread' })
  }
  return found
}

/**
 * A page of the thread at that version: remembered, or else read and presented now. A closing time
 * passes without a new version, so the state is part of the name.
 */
export const findVersionedPage = async <Found extends { readonly thread: Thread }>(
  context: Context,
  { thread, isConfirmed }: FoundThread,
  {
    siteId,
    variant,
    encoding,
  }: Pick<ThreadReadOptions, 'variant' | 'encoding'> & { siteId: number },
  { read, present }: { read: () => Promise<Found>; present: (found: Found) => Page },
): Promise<Page> => {
  const { id, version, state } = thread
  const name = { site: siteId, thread: id, version, variant: `${state} ${variant}` }
  const page = await context.pages.page(name, encoding, async () => {
    const found = await runQuery(read())
    return { version: found.thread.version, page: present(found) }
  })
  return isConfirmed ? page : { ...page, isUnconfirmed: true }
}
