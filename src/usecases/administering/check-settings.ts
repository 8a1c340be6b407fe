import { Refusal } from '../../domain/refusal.ts'
import type { Check } from '../../domain/site/check.ts'

/** A check as it is to be; a secret that is missing stays. */
export type CheckSettings = WithoutSecret<Check> & { readonly secret?: string }

type WithoutSecret<T> = T extends unknown ? Omit<T, 'secret'> : never

/**
 * Fills in the secrets that are not given again. At another address a check is another one: whoever
 * may change where it is does not get its secret sent there.
 */
export const keepCheckSecrets = (
  checks: readonly CheckSettings[],
  before: readonly Check[],
): readonly Check[] =>
  checks.map((check, i) => {
    const same = before.find(
      ({ name, kind, url }) => name === check.name && kind === check.kind && url === check.url,
    )
    const secret = check.secret ?? same?.secret
    if (secret !== undefined) return { ...check, secret }
    throw new Refusal('invalid_request', {
      [`/checks/${i}/secret`]: 'is required: no secret is known for this name and address',
    })
  })
