import { renderMarkdown } from '../../domain/comment/markdown.ts'
import { assertMayWrite, mayModerate } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { readRendering } from '../../domain/screening/rendering.ts'
import { assertIsOpen } from '../../domain/site/site.ts'
import { checkAfterWrite } from '../checks/check-after-write.ts'
import type { Context } from '../context.ts'
import { commitGroup, leavingLockTimeouts } from '../group-commit.ts'
import { hashRendering } from '../policies/count-facts.ts'
import { assertLength } from '../posting/site-rules.ts'
import { enqueueSharedWrite } from '../write-queue.ts'
import type { Edit, Edited, EditRequest } from './edit.ts'
import { editPatiently, editTogether } from './edit-group.ts'

export type { Edited, EditRequest } from './edit.ts'

/**
 * Replaces the text of a comment. The policy judges an author's edit as it judges a new comment, and
 * may hide the comment; it does not judge a moderator's edit. Edits that reach a site while it has a transaction of
 * edits in progress share the next transaction, as if they came one after the other.
 */
export const editComment = async <Response>(
  context: Context,
  request: EditRequest,
  present: (edited: Edited) => Response,
): Promise<Response> => {
  const { site, comment, sender, idempotencyKey } = request
  const { response, effect: edited } = await enqueueSharedWrite(
    context.edits,
    {
      site: String(site.id),
      thread: `${site.id}:${comment.threadId}`,
      write: await prepareEdit(context, request, present),
    },
    {
      together: (edits) => leavingLockTimeouts(commitGroup(context, edits, editTogether)),
      patiently: (edits) => commitGroup(context, edits, editPatiently),
    },
  )
  if (!edited) return response as Response
  return checkAfterWrite(context, {
    checking: edited.checking,
    request: { site, comment, sender },
    idempotencyKey,
    answer: response as Response,
    present: (results) => present({ ...edited, ...results }),
  })
}

/** Does everything that needs no transaction. */
export const prepareEdit = async (
  context: Context,
  request: EditRequest,
  present: Edit['present'],
): Promise<Edit> => {
  const { site, caller, body } = request
  assertMayWrite(caller)
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (!mayModerate(caller)) assertIsOpen(site)
  assertLength(site, caller, body)
  const bodyHtml = renderMarkdown(body)
  const rendering = readRendering(body, bodyHtml)
  const hashes = hashRendering(rendering)
  const policy = await context.policies.find(site)
  return { ...request, bodyHtml, rendering, hashes, policy, present }
}
