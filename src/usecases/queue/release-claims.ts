import { callerIdOf, type StaffCaller } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import { deleteClaims } from '../../postgres/moderation/claims.ts'
import type { IdempotencyKey as Key } from '../../postgres/service/idempotency.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'

type Request = {
  readonly site: Site
  readonly moderator: StaffCaller
  /** Undefined: all that it has. */
  readonly comment: CommentKey | undefined
  readonly claim: Key | undefined
}

/** Gives back what a moderator has claimed; what it does not have stays as it is. */
export const releaseClaims = (
  context: Context,
  { site, moderator, comment, claim }: Request,
): Promise<null> =>
  runOnce(context, claim, async (tx) => {
    await deleteClaims(tx, { siteId: site.id, by: callerIdOf(moderator), commentId: comment?.id })
    return null
  })
