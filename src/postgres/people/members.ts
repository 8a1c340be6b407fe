import { sql } from 'kysely'
import type { Author, Role } from '../../domain/comment/comment.ts'
import type { Instant } from '../../domain/instant.ts'
import type { Db, Tx } from '../connection/db.ts'
import { hasShadowed } from './authors.ts'

/** A member, as administrators see one. */
export type Member = Author & {
  readonly subject: string
  readonly email: string | null
  readonly emailVerified: boolean
  /** The roles of the newest token. */
  readonly tokenRoles: readonly Role[]
  /** The roles that administrators granted. */
  readonly grantedRoles: readonly Role[]
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

/** Whether a member was erased at or after a time. The member is known by the hash of the subject only. */
export const isErasedSince = async (
  db: Db,
  siteId: number,
  { erasedSubject, since }: { erasedSubject: Buffer; since: Instant },
): Promise<boolean> => {
  const row = await db
    .selectFrom('authors')
    .select('id')
    .where('siteId', '=', siteId)
    .where('erasedSubject', '=', erasedSubject)
    .where('erasedAt', '>=', since)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Creates a member, unless a concurrent request has just created the same one. */
export const insertMember = async (
  tx: Tx,
  siteId: number,
  { subject, name }: { subject: string; name: string },
): Promise<void> => {
  await tx
    .insertInto('authors')
    .values({ siteId, kind: 'member', subject, name })
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

/** The member's role becomes the highest of the token's and the granted roles. */
export const updateMember = async (
  tx: Tx,
  siteId: number,
  { id, ...change }: MemberChange & Pick<Member, 'id' | 'tokenRoles' | 'grantedRoles'>,
): Promise<Member> => {
  const roles = [...change.tokenRoles, ...change.grantedRoles]
  const row = await tx
    .updateTable('authors')
    .set({
      ...change,
      tokenRoles: [...change.tokenRoles],
      grantedRoles: [...change.grantedRoles],
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

/** Listed members in the order of their creation; `limit + 1` rows. */
export const listStaff = async (
  db: Db,
  { siteId, afterId, limit }: { siteId: number; afterId: number; limit: number },
): Promise<Staff[]> => {
  const { rows } = await sql<Staff>`
    select id, name, url, avatar_url, location,
      array(select distinct r from unnest(token_roles || granted_roles) r order by r)::text[] as roles
    from authors
    where site_id = ${siteId} and listed and id > ${afterId}
    order by id limit ${limit + 1}`.execute(db)
  return rows
}
