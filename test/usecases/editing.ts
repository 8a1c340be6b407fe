import type { CommentKey } from '../../src/domain/public-id.ts'
import { Refusal } from '../../src/domain/refusal.ts'
import { UNKNOWN_SENDER } from '../../src/domain/site/check.ts'
import type { Site } from '../../src/domain/site/site.ts'
import type { Context } from '../../src/usecases/context.ts'
import {
  type Edited,
  type EditRequest,
  editComment,
} from '../../src/usecases/editing/edit-comment.ts'

/** Calls `editComment` without HTTP, so that edits arrive in a known order, in one tick. */

export type SomeEdit = Partial<EditRequest> &
  Pick<EditRequest, 'caller' | 'body'> & {
    readonly comment: CommentKey
  }

export const editRequestOf = (site: Site, some: SomeEdit): EditRequest => ({
  site,
  ifRevision: undefined,
  writerIdentity: undefined,
  sender: UNKNOWN_SENDER,
  idempotencyKey: undefined,
  ...some,
})

/** @returns the edit, or the code of its refusal */
export const edit = (node: Context, site: Site, some: SomeEdit): Promise<Edited | string> =>
  editComment(node, editRequestOf(site, some), (edited) => edited).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error
    return error.code
  })
