import type { Context } from '../context.ts'
import { type MarkDecided, type MarkRequest, markComment } from './mark-comment.ts'

/** Closes a comment and all that hangs below it to replies, edits and votes, or opens them again. */
export const lockComment = <Answer>(
  context: Context,
  request: MarkRequest,
  present: (decided: MarkDecided) => Answer,
): Promise<Answer> => markComment(context, { ...request, mark: 'lock' }, present)
