import type { Author } from '../../domain/comment/comment.ts'
import { validateBodyLength } from '../../domain/comment/text.ts'
import { type Caller, mayModerate } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import { skeletonOf } from '../../domain/screening/name-skeleton.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Post } from './post.ts'

/** Refuses a text whose length the site does not allow; the staff may write any length. */
export const assertLength = (site: Site, caller: Caller, body: string): void => {
  if (mayModerate(caller)) return
  const length = validateBodyLength(body, site)
  if (!length.ok) throw new Refusal('invalid_request', { '/body': length.problem })
}

/** Refuses a guest without an e-mail address on a site that requires one. */
export const assertEmail = (
  site: Site,
  email: string | null | undefined,
  pointer: string,
): void => {
  if (site.emailRequired && !email)
    throw new Refusal('invalid_request', { [pointer]: 'is required on this site' })
}

/**
 * The skeleton of the name that a guest posts under. Undefined for members and for guests of a key.
 * @param writers the locked rows of guests; without them, a guest has the name that was read with the token
 */
export const skeletonOfGuest = (
  { caller, author, writerId }: Pick<Post, 'caller' | 'author' | 'writerId'>,
  writers?: ReadonlyMap<number, Author>,
): string | undefined => {
  if (caller.kind !== 'nobody' && caller.kind !== 'guest') return undefined
  const known = caller.kind === 'guest' ? caller.name : undefined
  const stored = writers && writerId !== undefined ? writers.get(writerId)?.name : known
  const name = author?.name ?? stored
  return name === undefined ? undefined : skeletonOf(name)
}

/** Refuses a guest under the name of a member, or under a name that the site reserves. */
export const assertNameIsFree = (
  site: Site,
  skeleton: string | undefined,
  { takenNames, pointer }: { takenNames: ReadonlySet<string>; pointer: string },
): void => {
  if (skeleton === undefined) return
  const isReserved = site.reservedNames.some((name) => skeletonOf(name) === skeleton)
  if (isReserved || takenNames.has(skeleton))
    throw new Refusal('name_reserved', { [pointer]: 'belongs to a member or is reserved' })
}
