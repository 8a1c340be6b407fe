import type { Context } from '../context.ts'
import { type MarkDecided, type MarkRequest, markComment } from './mark-comment.ts'

/** Says of a comment that it deserves to stand out, or no longer. */
export const pinComment = <Answer>(
  world: Context,
  request: MarkRequest,
  present: (decided: MarkDecided) => Answer,
): Promise<Answer> => markComment(world, { ...request, mark: 'pin' }, present)
