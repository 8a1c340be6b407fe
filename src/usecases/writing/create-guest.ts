import type { Author } from '../../domain/comment.ts'
import type { Site } from '../../domain/site.ts'
import { type GuestProfile, insertGuest } from '../../postgres/authors.ts'
import type { Claim } from '../../postgres/idempotency.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'

/** Makes a guest who can be given a token before the first comment. */
export const createGuest = <Answer>(
  world: World,
  request: { site: Site; profile: GuestProfile; claim: Claim | undefined },
  present: (guest: Author) => Answer,
): Promise<Answer> =>
  answerOnce(world, request.claim, async (tx) =>
    present(await insertGuest(tx, request.site.id, request.profile)),
  )
