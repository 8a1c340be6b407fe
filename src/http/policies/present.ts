import type { VersionedPolicy } from '../../usecases/policies/policies.ts'

export const presentPolicyVersion = ({
  version,
  note,
  by,
  at,
}: Omit<VersionedPolicy, 'policy'>) => ({
  version,
  note,
  by,
  at,
})

export const presentPolicy = (known: VersionedPolicy) => ({
  ...presentPolicyVersion(known),
  policy: known.policy,
})
