import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Tx } from '../../postgres/connection/db.ts'
import { acquireThreadLock, runQuery } from '../../postgres/connection/transaction.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import {
  ensureThread,
  findThreadForWrite,
  findThreadId,
  type ModeratedThread,
  type ThreadChange,
} from '../../postgres/threads/threads.ts'
import type { Context } from '../context.ts'
import { withInvalidation } from '../invalidate.ts'
import { runOnce } from '../run-once.ts'
import { changeSettings } from './thread-settings.ts'

type ThreadRequest = {
  site: Site
  moderator: StaffCaller
  articleId: string
  change: ThreadChange
  idempotencyKey: IdempotencyKey | undefined
}

export type { ModeratedThread } from '../../postgres/threads/threads.ts'

/** Changes a thread's state or settings; creates the thread if it is missing. */
export const updateThread = async <Answer>(
  context: Context,
  request: ThreadRequest,
  present: (thread: ModeratedThread) => Answer,
): Promise<Answer> => {
  const { site, articleId, change, idempotencyKey } = request
  const known = await runQuery(findThreadId(context.db, site.id, articleId))
  const threadIds = known === undefined ? [] : [known]
  return withInvalidation(
    context,
    { siteId: site.id, threadIds, isHide: hidesThread(change) },
    () =>
      runOnce(context, idempotencyKey, async (tx) => {
        const id = await ensureThread(tx, site.id, articleId)
        if (id !== known) threadIds.push(id)
        await acquireThreadLock(tx, { siteId: site.id, threadId: id }, 'exclusive')
        return present(await decide(tx, request, id))
      }),
  )
}

const decide = async (
  tx: Tx,
  { site, moderator, change }: ThreadRequest,
  threadId: number,
): Promise<ModeratedThread> => {
  const found = await findThreadForWrite(tx, site.id, threadId)
  if (!found) throw new Refusal('not_found')
  const thread = { siteId: site.id, threadId, articleId: found.articleId }
  const origin = { siteId: site.id, by: callerIdOf(moderator) }
  return (await changeSettings(tx, thread, { change, origin })).thread
}

/** A new title or address replaces the old one, as an edit replaces a text. */
const hidesThread = ({ state, title, url }: ThreadChange): boolean =>
  state === 'hidden' || title !== undefined || url !== undefined
