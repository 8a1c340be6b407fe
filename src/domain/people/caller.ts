import type { Role } from '../comment/comment.ts'
import { Refusal } from '../refusal.ts'
import { storedId } from '../stored-id.ts'

export const SCOPES = ['read', 'moderate', 'admin'] as const
/** `admin` includes `moderate` includes `read`. */
export type Scope = (typeof SCOPES)[number]

/** Stored data of a person, if loaded. */
type StoredPerson = {
  /** Of a guest. */
  readonly name?: string
  readonly email?: string | null
  /** Whether the person has a shadowed comment. */
  readonly hasShadowed?: boolean
}

/** The sender of a request, as its credential proves it. */
export type Caller =
  | { readonly kind: 'nobody' }
  | ({ readonly kind: 'guest'; readonly authorId: number } & StoredPerson)
  /** `scope`: what the roles allow on the member's site; null for a reader. */
  | ({
      readonly kind: 'member'
      readonly authorId: number
      readonly scope: Scope | null
    } & StoredPerson)
  /** `siteId`: null for every site. */
  | {
      readonly kind: 'key'
      readonly keyId: number
      readonly scope: Scope
      readonly siteId: number | null
    }

export type KeyCaller = Extract<Caller, { kind: 'key' }>
/** A person with comments, votes and flags of their own. */
export type AuthorCaller = Extract<Caller, { kind: 'guest' | 'member' }>
/** A key or a member whose scope was asserted. */
export type StaffCaller = Extract<Caller, { kind: 'member' | 'key' }>

/** The scope of the highest role. */
const scopeOf = (roles: readonly Role[]): Scope | null => {
  if (roles.includes('owner')) return 'admin'
  return roles.includes('moderator') ? 'moderate' : null
}

/** The stored facts that decide a member's rights. */
export type MemberRights = {
  /** The roles of the newest token. */
  readonly tokenRoles: readonly Role[]
  /** The roles that administrators granted. */
  readonly grantedRoles: readonly Role[]
  /** Whether only granted roles count. */
  readonly tokenRolesIgnored: boolean
  /** Whether no token of the member is believed. */
  readonly suspended: boolean
}

/** The roles that count; none while the member is suspended. */
export const rolesOf = (member: MemberRights): readonly Role[] => {
  if (member.suspended) return []
  if (member.tokenRolesIgnored) return member.grantedRoles
  return [...member.tokenRoles, ...member.grantedRoles]
}

/** The scope of a request with a token: an older token has no right that it does not carry itself. */
export const scopeWith = (carried: readonly Role[], member: MemberRights): Scope | null => {
  const granted = scopeOf(rolesOf({ ...member, tokenRolesIgnored: true }))
  if (rank(scopeOf(rolesOf(member))) === rank(granted)) return granted
  const [stored, own] = [scopeOf(member.tokenRoles), scopeOf(carried)]
  const fromToken = rank(own) < rank(stored) ? own : stored
  return rank(fromToken) > rank(granted) ? fromToken : granted
}

const rank = (scope: Scope | null): number => (scope === null ? -1 : SCOPES.indexOf(scope))

export const mayModerate = (caller: Caller): caller is StaffCaller => holds(caller, 'moderate')

export const mayAdminister = (caller: Caller): caller is StaffCaller => holds(caller, 'admin')

/** Refuses with `login_required` without a credential, with `forbidden` if the credential does not suffice. */
export function assertScope(caller: Caller, scope: Scope): asserts caller is StaffCaller {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (!holds(caller, scope)) throw new Refusal('forbidden')
}

/** Only an admin key for all sites may change the service. Refuses as `assertScope` does. */
export function assertServiceAdmin(caller: Caller): asserts caller is KeyCaller {
  assertScope(caller, 'admin')
  if (caller.kind !== 'key' || caller.siteId !== null) throw new Refusal('forbidden')
}

/** Keys cannot vote or flag, and have no data of their own. Refuses as `assertScope` does. */
export function assertPerson(caller: Caller): asserts caller is AuthorCaller {
  if (caller.kind === 'nobody') throw new Refusal('login_required')
  if (caller.kind === 'key') throw new Refusal('forbidden')
}

/** A key with the scope `read` cannot write for readers either. */
export const assertMayWrite = (caller: Caller): void => {
  if (caller.kind === 'key' && !holds(caller, 'moderate')) throw new Refusal('forbidden')
}

export const isAuthor = (caller: Caller, author: { readonly id: number }): boolean =>
  (caller.kind === 'guest' || caller.kind === 'member') && caller.authorId === author.id

/** Makers of automatic decisions: readers' flags, the rules, and an import from another system. */
export const BY_FLAGS = 'flags'
export const BY_RULES = 'rules'
export const BY_IMPORT = 'import'
export const AUTOMATIC: readonly string[] = [BY_FLAGS, BY_RULES, BY_IMPORT]

/** The stored id of a caller, which records contain. */
export const callerIdOf = (caller: AuthorCaller | StaffCaller): string =>
  caller.kind === 'key' ? storedId('key', caller.keyId) : storedId('author', caller.authorId)

const holds = (caller: Caller, needed: Scope): boolean => {
  const held = caller.kind === 'key' || caller.kind === 'member' ? caller.scope : null
  return rank(held) >= rank(needed)
}
