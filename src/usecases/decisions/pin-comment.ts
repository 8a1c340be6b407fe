import type { Context } from '../context.ts'
import { type MarkDecided, type MarkRequest, markComment } from './mark-comment.ts'

/** Says of a comment that it deserves to stand out, or no longer. */
export const pinComment = <Answer>(
  context: Context,
  request: MarkRequest,
  present: (decided: MarkDecided) => Answer,
): Promise<Answer> => markComment(context, { ...request, mark: 'pin' }, present)
