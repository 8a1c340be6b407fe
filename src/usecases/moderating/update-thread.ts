import type { Site } from '../../domain/site.ts'
import { asking, lockThread } from '../../postgres/connection/transaction.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import {
  updateThread as changeThread,
  ensureThread,
  findThreadId,
  type ModeratedThread,
  type ThreadChange,
} from '../../postgres/threads.ts'
import { announcing } from '../announce.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'

type Request = { site: Site; articleId: string; change: ThreadChange; claim: Claim | undefined }

export type { ModeratedThread } from '../../postgres/threads.ts'

/** Changes a thread's state or settings; an absent thread comes into being. */
export const updateThread = async <Answer>(
  world: World,
  { site, articleId, change, claim }: Request,
  present: (thread: ModeratedThread) => Answer,
): Promise<Answer> => {
  const known = await asking(findThreadId(world.db, site.id, articleId))
  const threadIds = known === undefined ? [] : [known]
  return announcing(world, { siteId: site.id, threadIds, isHide: isHide(change) }, () =>
    answerOnce(world, claim, async (tx) => {
      const id = await ensureThread(tx, site.id, articleId)
      if (id !== known) threadIds.push(id)
      await lockThread(tx, { siteId: site.id, threadId: id }, 'alone')
      return present(await changeThread(tx, site.id, id, change))
    }),
  )
}

/** What it says of its article is replaced, as a text by an edit. */
const isHide = ({ state, title, url }: ThreadChange): boolean =>
  state === 'hidden' || title !== undefined || url !== undefined
