import { buildStatement, type Statement } from '../../domain/moderation/statement.ts'
import { assertPerson, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findStated, type StatedComment } from '../../postgres/moderation/statements.ts'
import type { Context } from '../context.ts'

type Request = { site: Site; caller: Caller; comment: CommentKey }

/** The statement of reasons for a comment's status; only for its author. */
export const getStatement = async (
  context: Context,
  { site, caller, comment }: Request,
): Promise<Statement> => {
  assertPerson(caller)
  const found = await runQuery(findStated(context.db, site.id, comment))
  assertOwn(found, caller.authorId)
  return buildStatement(found)
}

/** Refuses another author's comment: with `not_found` if that comment is not public. */
export function assertOwn(
  found: StatedComment | undefined,
  authorId: number,
): asserts found is StatedComment {
  if (found?.authorId === authorId) return
  throw new Refusal(found?.isPublic ? 'forbidden' : 'not_found')
}
