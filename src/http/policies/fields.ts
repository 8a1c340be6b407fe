import type { Static } from 'typebox'
import { Refusal } from '../../domain/refusal.ts'
import type { Policy, PolicySchema } from '../../domain/screening/policy.ts'
import { validatePolicy } from '../../domain/screening/validate-policy.ts'

const POINTER = '/policy'

/** Ajv has validated the shape; this validates words, domains and limits, and reports all errors together. */
export const readPolicy = (policy: Static<typeof PolicySchema>): Policy => {
  const checked = validatePolicy(policy)
  if (checked.ok) return checked.value
  const faults = Object.entries(checked.faults).map(([at, fault]) => [`${POINTER}${at}`, fault])
  throw new Refusal('invalid_request', Object.fromEntries(faults))
}
