import type { Thread } from '../../domain/comment.ts'
import type { Page } from '../../domain/page-store.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site.ts'
import { asking } from '../../postgres/connection/transaction.ts'
import type { World } from '../world.ts'

/**
 * The version was just read from the primary, so nothing is newer: a greater one was never given
 * out for this thread.
 */
export const assertAtLeast = (thread: { version: number }, atLeast: number): void => {
  if (thread.version < atLeast) {
    throw new Refusal('invalid_request', { at_least: 'is not a version of this thread' })
  }
}

type Request = { readonly site: Site; readonly variant: string; readonly atLeast: number }

/**
 * A page of the thread at the version that was just read: remembered, or else read and presented
 * now. A closing time passes without a new version, so the state is part of the name.
 */
export const findVersionedPage = async <Found extends { readonly thread: Thread }>(
  world: World,
  thread: Thread,
  { site, variant, atLeast }: Request,
  { read, present }: { read: () => Promise<Found>; present: (found: Found) => Page },
): Promise<Page> => {
  assertAtLeast(thread, atLeast)
  const { id, version, state } = thread
  const name = { site: site.id, thread: id, version, variant: `${state} ${variant}` }
  return world.pages.page(name, async () => {
    const found = await asking(read())
    return { version: found.thread.version, page: present(found) }
  })
}
