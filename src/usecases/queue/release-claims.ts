import { nameOf, type Official } from '../../domain/people/caller.ts'
import type { CommentKey } from '../../domain/public-id.ts'
import type { Site } from '../../domain/site/site.ts'
import { deleteClaims } from '../../postgres/moderation/claims.ts'
import type { Claim as Key } from '../../postgres/service/idempotency.ts'
import type { World } from '../context.ts'
import { answerOnce } from '../run-once.ts'

type Request = {
  readonly site: Site
  readonly moderator: Official
  /** Undefined: all that it has. */
  readonly comment: CommentKey | undefined
  readonly claim: Key | undefined
}

/** Gives back what a moderator has claimed; what it does not have stays as it is. */
export const releaseClaims = (
  world: World,
  { site, moderator, comment, claim }: Request,
): Promise<null> =>
  answerOnce(world, claim, async (tx) => {
    await deleteClaims(tx, { siteId: site.id, by: nameOf(moderator), commentId: comment?.id })
    return null
  })
