import { Refusal } from './refusal.ts'

const SCOPES = ['read', 'moderate', 'admin'] as const
/** `admin` includes `moderate` includes `read`. */
export type Scope = (typeof SCOPES)[number]

/** Who sent a request, as far as its credential says. */
export type Caller =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'guest'; readonly authorId: number }
  /** `siteId` null: on every site. */
  | {
      readonly kind: 'key'
      readonly keyId: number
      readonly scope: Scope
      readonly siteId: number | null
    }

export type KeyHolder = Extract<Caller, { kind: 'key' }>

export const mayModerate = (caller: Caller): caller is KeyHolder =>
  caller.kind === 'key' && includes(caller.scope, 'moderate')

/** Refuses with `login_required` without a credential, `forbidden` with one that is not enough. */
export function assertScope(caller: Caller, scope: Scope): asserts caller is KeyHolder {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (caller.kind !== 'key' || !includes(caller.scope, scope)) throw new Refusal('forbidden')
}

/** A key that may only read does not speak for readers either. */
export const assertMayWrite = (caller: Caller): void => {
  if (caller.kind === 'key' && !includes(caller.scope, 'moderate')) throw new Refusal('forbidden')
}

const includes = (held: Scope, needed: Scope) => SCOPES.indexOf(held) >= SCOPES.indexOf(needed)
