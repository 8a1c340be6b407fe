import { sql } from 'kysely'
import type { Author, Role } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import { type MemberRights, rolesOf } from '../../domain/people/caller.ts'
import { skeletonOf } from '../../domain/screening/name-skeleton.ts'
import type { Db, Tx } from '../connection/db.ts'
import { hasShadowed } from './authors.ts'

/** A member, as administrators see one. */
export type Member = Author &
  MemberRights & {
    readonly subject: string
    readonly email: string | null
    readonly emailVerified: boolean
    readonly suspendedAt: Instant | null
    readonly location: string | null
    /** Whether readers see the member in the list of staff. */
    readonly listed: boolean
    readonly createdAt: Instant
    /** When the newest token was issued; null if the member never signed on. */
    readonly signedOnAt: Instant | null
    readonly hasShadowed: boolean
  }

const COLUMNS = [
  'id',
  'kind',
  'role',
  'name',
  'url',
  'avatarUrl',
  'subject',
  'email',
  'emailVerified',
  // As text: the driver cannot parse arrays of our own types.
  sql<Role[]>`token_roles::text[]`.as('tokenRoles'),
  sql<Role[]>`granted_roles::text[]`.as('grantedRoles'),
  'tokenRolesIgnored',
  'suspendedAt',
  sql<boolean>`suspended_at is not null`.as('suspended'),
  'location',
  'listed',
  'createdAt',
  'signedOnAt',
  hasShadowed.as('hasShadowed'),
] as const

export const findMember = async (
  db: Db,
  siteId: number,
  subject: string,
): Promise<Member | undefined> =>
  (await selectMember(db, siteId, subject).executeTakeFirst()) as Member

/** Members by the ids of their authors, in no order; erased ones are left out. */
export const listMembers = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<Member[]> => {
  const rows = await db
    .selectFrom('authors')
    .select(COLUMNS)
    .where('siteId', '=', siteId)
    .where('id', '=', sql<number>`any(${ids}::bigint[])`)
    .where('subject', 'is not', null)
    .execute()
  return rows as Member[]
}

export const lockMemberRow = async (
  tx: Tx,
  siteId: number,
  subject: string,
): Promise<Member | undefined> =>
  (await selectMember(tx, siteId, subject).forNoKeyUpdate().executeTakeFirst()) as Member

const selectMember = (db: Db, siteId: number, subject: string) =>
  db
    .selectFrom('authors')
    .select(COLUMNS)
    .where('siteId', '=', siteId)
    .where('subject', '=', subject)

/**
 * The latest erasure of a member, who is known by the hash of the subject only. It keeps what an administrator
 * had taken away, so that an erasure gives no right back. Undefined if the member was never erased.
 */
export const findErasure = async (
  db: Db,
  siteId: number,
  erasedSubjects: readonly Buffer[],
): Promise<{ erasedAt: Instant; tokenRolesIgnored: boolean; suspended: boolean } | undefined> => {
  const row = await db
    .selectFrom('authors')
    .select([
      'erasedAt',
      'tokenRolesIgnored',
      sql<boolean>`suspended_at is not null`.as('suspended'),
    ])
    .where('siteId', '=', siteId)
    .where('erasedSubject', '=', sql<Buffer>`any(${erasedSubjects}::bytea[])`)
    .orderBy('erasedAt', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && { ...row, erasedAt: row.erasedAt! }
}

/** Creates a member, unless a concurrent request has just created the same one. */
export const insertMember = async (
  tx: Tx,
  siteId: number,
  member: { subject: string; name: string; tokenRolesIgnored?: boolean },
): Promise<void> => {
  await tx
    .insertInto('authors')
    .values({ siteId, kind: 'member', ...member, nameSkeleton: skeletonOf(member.name) ?? null })
    .onConflict((c) =>
      c.columns(['siteId', 'subject']).where('subject', 'is not', null).doNothing(),
    )
    .execute()
}

export type MemberChange = Partial<
  Pick<
    Member,
    'name' | 'url' | 'avatarUrl' | 'email' | 'emailVerified' | 'location' | 'listed' | 'signedOnAt'
  >
>

/** The member's role becomes the highest role that counts. */
export const updateMember = async (
  tx: Tx,
  siteId: number,
  { id, suspended, ...change }: MemberChange & MemberRights & Pick<Member, 'id'>,
): Promise<Member> => {
  const roles = [...rolesOf({ ...change, suspended })]
  const row = await tx
    .updateTable('authors')
    .set({
      ...change,
      ...(change.name !== undefined && { nameSkeleton: skeletonOf(change.name) ?? null }),
      tokenRoles: [...change.tokenRoles],
      grantedRoles: [...change.grantedRoles],
      suspendedAt: suspended ? sql<Instant>`coalesce(suspended_at, now())` : null,
      role: sql<Role>`(select coalesce(max(r), 'reader') from unnest(${roles}::author_role[]) r)`,
    })
    .where('siteId', '=', siteId)
    .where('id', '=', id)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()
  return row as Member
}

export type Staff = Pick<Member, 'id' | 'name' | 'url' | 'avatarUrl' | 'location'> & {
  readonly roles: readonly Role[]
}

const staffColumns = sql`id, name, url, avatar_url, location,
  array(select distinct r from unnest(
    case when token_roles_ignored then granted_roles else token_roles || granted_roles end) r
    order by r)::text[] as roles`

/** Listed members in the order of their creation; `limit + 1` rows. */
export const listStaff = async (
  db: Db,
  { siteId, afterId, limit }: { siteId: number; afterId: number; limit: number },
): Promise<Staff[]> => {
  const { rows } = await sql<Staff>`
    select ${staffColumns} from authors
    where site_id = ${siteId} and listed and suspended_at is null and id > ${afterId}
    order by id limit ${limit + 1}`.execute(db)
  return rows
}

/** The listed members among these authors. */
export const listStaffAmong = async (
  db: Db,
  siteId: number,
  ids: readonly number[],
): Promise<Staff[]> => {
  if (ids.length === 0) return []
  const { rows } = await sql<Staff>`
    select ${staffColumns} from authors
    where site_id = ${siteId} and listed and suspended_at is null and id = any(${ids}::bigint[])
    order by id`.execute(db)
  return rows
}

/** The skeletons among these that members of the site have, the authors of keys included. */
export const findTakenNames = async (
  db: Db,
  siteId: number,
  skeletons: readonly string[],
): Promise<ReadonlySet<string>> => {
  if (skeletons.length === 0) return new Set()
  const { rows } = await sql<{ skeleton: string }>`
    select distinct name_skeleton as skeleton from authors
    where site_id = ${siteId} and name_skeleton = any(${skeletons})`.execute(db)
  return new Set(rows.map(({ skeleton }) => skeleton))
}
