import type { PublicIds } from '../../domain/public-id.ts'
import type { VersionedPolicy } from '../../usecases/policies/policies.ts'
import { presentDoer } from '../wire/stored-ids.ts'

export const presentPolicyVersion = (
  ids: PublicIds,
  { version, note, by, at }: Omit<VersionedPolicy, 'policy'>,
) => ({
  version,
  note,
  by: by && presentDoer(ids, by),
  at,
})

export const presentPolicy = (ids: PublicIds, known: VersionedPolicy) => ({
  ...presentPolicyVersion(ids, known),
  policy: known.policy,
})
