import { buildStatement, type Statement } from '../../domain/moderation/statement.ts'
import { assertPerson, type Caller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'
import { runQuery } from '../../postgres/connection/transaction.ts'
import { findStated, type StatedComment } from '../../postgres/moderation/statements.ts'
import type { Context } from '../context.ts'

type Request = { site: Site; caller: Caller; comment: CommentKey }

/** Why a comment stands as it does; for its author alone. */
export const getStatement = async (
  context: Context,
  { site, caller, comment }: Request,
): Promise<Statement> => {
  assertPerson(caller)
  const found = await runQuery(findStated(context.db, site.id, comment))
  assertOwn(found, caller.authorId)
  return buildStatement(found)
}

/** What others cannot read is for them as good as absent. */
export function assertOwn(
  found: StatedComment | undefined,
  authorId: number,
): asserts found is StatedComment {
  if (found?.authorId === authorId) return
  throw new Refusal(found?.isPublic ? 'forbidden' : 'not_found')
}
