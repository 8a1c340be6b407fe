import type { Author } from '../../domain/comment/comment.ts'
import type { WriterIdentity } from '../../domain/moderation/ban.ts'
import { skeletonOf } from '../../domain/screening/name-skeleton.ts'
import { assertIsOpen, type Site } from '../../domain/site/site.ts'
import { type GuestProfile, insertGuest } from '../../postgres/people/authors.ts'
import { findTakenNames } from '../../postgres/people/members.ts'
import type { IdempotencyKey } from '../../postgres/service/idempotency.ts'
import { findBanEffects } from '../bans/ban-effects.ts'
import type { Context } from '../context.ts'
import { runOnce } from '../run-once.ts'
import { assertEmail, assertNameIsFree } from './site-rules.ts'

type GuestRequest = {
  readonly site: Site
  readonly profile: GuestProfile
  readonly writerIdentity: WriterIdentity | undefined
  readonly idempotencyKey: IdempotencyKey | undefined
}

/** Creates a guest, who can get a token before the first comment. */
export const createGuest = <Response>(
  context: Context,
  { site, profile, writerIdentity, idempotencyKey }: GuestRequest,
  present: (guest: Author) => Response,
): Promise<Response> => {
  assertIsOpen(site)
  assertEmail(site, profile.email, '/email')
  return runOnce(context, idempotencyKey, async (tx) => {
    await findBanEffects(tx, site.id, writerIdentity)
    const skeleton = skeletonOf(profile.name)
    const takenNames = await findTakenNames(tx, site.id, skeleton === undefined ? [] : [skeleton])
    assertNameIsFree(site, skeleton, { takenNames, pointer: '/name' })
    return present(await insertGuest(tx, site.id, profile))
  })
}
