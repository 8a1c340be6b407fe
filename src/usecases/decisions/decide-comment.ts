import { assertTransition, isVisible } from '../../domain/comment/status.ts'
import type { Context } from '../context.ts'
import { commitGroup, leavingLockTimeouts } from '../group-commit.ts'
import { enqueueSharedWrite } from '../write-queue.ts'
import { decidePatiently, decideTogether } from './decide-group.ts'
import { assertSeen, type Decided, type DecideRequest } from './decision-request.ts'

/**
 * Changes a comment from the status and the text that the moderator saw to another status. Of two moderators
 * who saw the same status, exactly one succeeds; the other is refused with `decision_conflict`, and so is a
 * moderator who saw another text. Decisions that reach a site while it has a transaction of decisions in progress
 * share the next transaction, as if they came one after the other.
 */
export const decideComment = async <Answer>(
  context: Context,
  request: DecideRequest,
  present: (decided: Decided) => Answer,
): Promise<Answer> => {
  assertTransition(request.from, request.to)
  if (isVisible(request.to)) assertSeen(request.revision)
  const { site, comment } = request
  const { response } = await enqueueSharedWrite(
    context.decisions,
    {
      site: String(site.id),
      thread: `${site.id}:${comment.threadId}`,
      write: { ...request, present },
    },
    {
      together: (all) => leavingLockTimeouts(commitGroup(context, all, decideTogether)),
      patiently: (all) => commitGroup(context, all, decidePatiently),
    },
  )
  return response as Answer
}
