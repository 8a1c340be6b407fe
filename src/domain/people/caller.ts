import type { Role } from '../comment/comment.ts'
import { authorId, keyId } from '../public-id.ts'
import { Refusal } from '../refusal.ts'

export const SCOPES = ['read', 'moderate', 'admin'] as const
/** `admin` includes `moderate` includes `read`. */
export type Scope = (typeof SCOPES)[number]

/** What is known of a person, where it is. */
type OnFile = {
  readonly email?: string | null
  /** Has written something that only it may see. */
  readonly hasShadowed?: boolean
}

/** Who sent a request, as far as its credential says. */
export type Caller =
  | { readonly kind: 'nobody' }
  | ({ readonly kind: 'guest'; readonly authorId: number } & OnFile)
  /** `scope`: what its roles allow on its site; null for a reader. */
  | ({ readonly kind: 'member'; readonly authorId: number; readonly scope: Scope | null } & OnFile)
  /** `siteId` null: on every site. */
  | {
      readonly kind: 'key'
      readonly keyId: number
      readonly scope: Scope
      readonly siteId: number | null
    }

export type KeyCaller = Extract<Caller, { kind: 'key' }>
/** Somebody who has comments, votes and flags of its own. */
export type AuthorCaller = Extract<Caller, { kind: 'guest' | 'member' }>
/** A key or a member, with a scope that has been asserted. */
export type StaffCaller = Extract<Caller, { kind: 'member' | 'key' }>

/** What the highest of the roles allows. */
export const scopeOf = (roles: readonly Role[]): Scope | null => {
  if (roles.includes('owner')) return 'admin'
  return roles.includes('moderator') ? 'moderate' : null
}

export const mayModerate = (caller: Caller): caller is StaffCaller => holds(caller, 'moderate')

export const mayAdminister = (caller: Caller): caller is StaffCaller => holds(caller, 'admin')

/** Refuses with `login_required` without a credential, `forbidden` with one that is not enough. */
export function assertScope(caller: Caller, scope: Scope): asserts caller is StaffCaller {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (!holds(caller, scope)) throw new Refusal('forbidden')
}

/** Only a key for all sites is for what belongs to none of them. Refuses as `assertScope` does. */
export function assertServiceAdmin(caller: Caller): asserts caller is KeyCaller {
  assertScope(caller, 'admin')
  if (caller.kind !== 'key' || caller.siteId !== null) throw new Refusal('forbidden')
}

/** Keys do not vote, flag or see what is theirs. Refuses as `assertScope` does. */
export function assertPerson(caller: Caller): asserts caller is AuthorCaller {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (caller.kind === 'key') throw new Refusal('forbidden')
}

/** A key that may only read does not speak for readers either. */
export const assertMayWrite = (caller: Caller): void => {
  if (caller.kind === 'key' && !holds(caller, 'moderate')) throw new Refusal('forbidden')
}

export const isAuthor = (caller: Caller, author: { readonly id: number }): boolean =>
  (caller.kind === 'guest' || caller.kind === 'member') && caller.authorId === author.id

/** Who a decision is by that no one person has made: readers together, and the rules. */
export const BY_FLAGS = 'flags'
export const BY_RULES = 'rules'
export const AUTOMATIC: readonly string[] = [BY_FLAGS, BY_RULES]

/** The id that records name it by. */
export const callerIdOf = (caller: AuthorCaller | StaffCaller): string =>
  caller.kind === 'key' ? keyId(caller.keyId) : authorId(caller.authorId)

const holds = (caller: Caller, needed: Scope): boolean => {
  const held = caller.kind === 'key' || caller.kind === 'member' ? caller.scope : null
  return held !== null && SCOPES.indexOf(held) >= SCOPES.indexOf(needed)
}
