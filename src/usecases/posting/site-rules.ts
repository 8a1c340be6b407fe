import { validateBodyLength } from '../../domain/comment/text.ts'
import { type Caller, mayModerate } from '../../domain/people/caller.ts'
import { Refusal } from '../../domain/refusal.ts'
import type { Site } from '../../domain/site/site.ts'

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
