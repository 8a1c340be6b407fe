import type { FoundThread } from '../../cache/threads.ts'
import type { Thread } from '../../domain/comment/comment.ts'
import type { Encoding, Page } from '../../domain/page-store.ts'
import { Refusal } from '../../domain/refusal.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import type { Context } from '../context.ts'

/** Options of every read of a thread. */
export type ThreadReadOptions = {
  /** A version that the reader knows of; the response shows this version or a newer one. */
  readonly atLeast: number
  /** Names everything that shapes the bytes, except the thread and its version. */
  readonly variant: string
  readonly encoding: Encoding
}

/** Refuses if even Postgres has an older version than `atLeast`: no response of this thread can have named it. */
export const assertReached = (
  found: FoundThread | undefined,
  atLeast: number,
): FoundThread | undefined => {
  if (found && found.thread.version < atLeast) {
    throw new Refusal('invalid_request', { at_least: 'is not a version of this thread' })
  }
  return found
}

/**
 * Returns a page of the thread in this version, cached or newly read. The state is part of the page's
 * name, because a thread closes by itself without a new version.
 */
export const findVersionedPage = <Found extends { readonly thread: Thread }>(
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
  const page = context.pages.page(name, encoding, async () => {
    const found = await runQuery(read())
    return { version: found.thread.version, page: present(found) }
  })
  return isConfirmed ? page : unconfirmed(page)
}

const unconfirmed = async (page: Promise<Page>): Promise<Page> => ({
  ...(await page),
  isUnconfirmed: true,
})
