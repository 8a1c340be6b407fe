import type { Site } from '../../domain/site.ts'
import { lockThread } from '../../postgres/connection/transaction.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import {
  updateThread as changeThread,
  ensureThread,
  type ModeratedThread,
  type ThreadChange,
} from '../../postgres/threads.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'

type Request = { site: Site; articleId: string; change: ThreadChange; claim: Claim | undefined }

export type { ModeratedThread } from '../../postgres/threads.ts'

/** Changes a thread's state or settings; an absent thread comes into being. */
export const updateThread = <Answer>(
  world: World,
  { site, articleId, change, claim }: Request,
  present: (thread: ModeratedThread) => Answer,
): Promise<Answer> =>
  answerOnce(world, claim, async (tx) => {
    const id = await ensureThread(tx, site.id, articleId)
    await lockThread(tx, { siteId: site.id, threadId: id }, 'alone')
    return present(await changeThread(tx, site.id, id, change))
  })
