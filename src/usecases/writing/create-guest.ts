import type { Suspect } from '../../domain/ban.ts'
import type { Author } from '../../domain/comment.ts'
import type { Site } from '../../domain/site.ts'
import { type GuestProfile, insertGuest } from '../../postgres/people/authors.ts'
import type { Claim } from '../../postgres/service/idempotency.ts'
import { answerOnce } from '../answer-once.ts'
import type { World } from '../world.ts'
import { findEffects } from './ban-effects.ts'

type GuestRequest = {
  readonly site: Site
  readonly profile: GuestProfile
  readonly suspect: Suspect | undefined
  readonly claim: Claim | undefined
}

/** Makes a guest who can be given a token before the first comment. */
export const createGuest = <Answer>(
  world: World,
  { site, profile, suspect, claim }: GuestRequest,
  present: (guest: Author) => Answer,
): Promise<Answer> =>
  answerOnce(world, claim, async (tx) => {
    await findEffects(tx, site.id, suspect)
    return present(await insertGuest(tx, site.id, profile))
  })
