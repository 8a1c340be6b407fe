import { type Insertable, type RawBuilder, sql, type Updateable } from 'kysely'
import type { Instant } from '../../domain/instant.ts'
import type { Site } from '../../domain/site/site.ts'
import type { Db, Tx } from '../connection/db.ts'
import { prepare } from '../connection/prepared.ts'
import type { Tables } from '../connection/tables.ts'

/** Not `select *`: a prepared one fails on open connections once a migration adds a column. */
const COLUMNS = [
  'id',
  'slug',
  'name',
  'origins',
  'moderation',
  'posting',
  'loginUrl',
  'editWindowSeconds',
  'maxDepth',
  'limits',
  'sorts',
  'retentionDays',
  'flagThreshold',
  'closeAfterDays',
  'slowModeSeconds',
  'signOn',
  'checks',
  'state',
  'reading',
  'voting',
  'emailRequired',
  'minBodyLength',
  'maxBodyLength',
  'language',
  'reservedNames',
  'articleIds',
  'policyVersion',
  'version',
  'createdAt',
  sql<string | null>`case when former_slug_until > clock_timestamp() then former_slug end`.as(
    'formerSlug',
  ),
  sql<Instant | null>`case when former_slug_until > clock_timestamp() then former_slug_until end`.as(
    'formerSlugUntil',
  ),
] as const

const isNamed = (
  slug: string | RawBuilder<string>,
) => sql<boolean>`(deleted_at is null and (slug = ${slug}
  or former_slug = ${slug} and former_slug_until > clock_timestamp()))`

/** Finds a site by its slug, or by its former slug while that still names the site. */
export const findSite = async (db: Db, slug: string): Promise<Site | undefined> =>
  (await db.executeQuery(FIND_SITE({ slug }))).rows[0]

const FIND_SITE = prepare<{ slug: string }, Site>((of, compiler) =>
  compiler
    .selectFrom('sites')
    .select(COLUMNS)
    .where(isNamed(of.slug))
    .orderBy(sql`slug = ${of.slug}`, 'desc')
    .limit(1),
)

/** One number for all that give slugs to sites. */
const SLUG_LOCK = 4_277_009_103

/** Whether a slug names another site, a deleted one included. The slugs stay as they are until the transaction ends. */
export const isSlugTaken = async (tx: Tx, slug: string, exceptId = 0): Promise<boolean> => {
  await sql`select pg_advisory_xact_lock(${SLUG_LOCK})`.execute(tx)
  const { rows } = await sql<{ is: boolean }>`
    select exists (select from sites where id <> ${exceptId} and (slug = ${slug}
      or former_slug = ${slug} and former_slug_until > clock_timestamp())) as "is"`.execute(tx)
  return rows[0]!.is
}

/** @param keepSeconds how long the earlier slug still names the site */
export const renameSite = (
  tx: Tx,
  siteId: number,
  { slug, keepSeconds }: { slug: string; keepSeconds: number },
): Promise<Site> =>
  tx
    .updateTable('sites')
    .set({
      slug,
      formerSlug: sql`slug`,
      // The column has milliseconds. Rounded up, a slug kept for no time would name the site a little longer.
      formerSlugUntil: sql`date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => ${keepSeconds})`,
      version: sql`version + 1`,
    })
    .where('id', '=', siteId)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()

export const lockSiteRow = (tx: Tx, siteId: number): Promise<Site> =>
  tx
    .selectFrom('sites')
    .select(COLUMNS)
    .where('id', '=', siteId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow()

/** In the order of creation; `limit + 1` rows. */
export const listSites = (
  db: Db,
  { afterId, limit }: { afterId: number; limit: number },
): Promise<Site[]> =>
  db
    .selectFrom('sites')
    .select(COLUMNS)
    .where('id', '>', afterId)
    .where('deletedAt', 'is', null)
    .orderBy('id')
    .limit(limit + 1)
    .execute()

/** Undefined if the slug is taken. */
export const insertSite = (
  db: Db,
  { slug, name, ...settings }: { slug: string; name: string } & SiteChange,
): Promise<Site | undefined> =>
  db
    .insertInto('sites')
    .values({ slug, name, ...(toColumns(settings) as Partial<Insertable<Tables['sites']>>) })
    .onConflict((c) => c.column('slug').doNothing())
    .returning(COLUMNS)
    .executeTakeFirst()

/** Inserts a site if there is none. */
export const insertFirstSite = async (
  db: Db,
  { slug, name }: { slug: string; name: string },
): Promise<void> => {
  await sql`
    insert into sites (slug, name) select ${slug}, ${name} where not exists (select from sites)
    on conflict do nothing`.execute(db)
}

/** The settings of a site that can change. */
export type SiteChange = Partial<
  Omit<
    Site,
    'id' | 'slug' | 'formerSlug' | 'formerSlugUntil' | 'policyVersion' | 'version' | 'createdAt'
  >
>

export const updateSite = (db: Db, siteId: number, change: SiteChange): Promise<Site> =>
  db
    .updateTable('sites')
    .set({ ...toColumns(change), version: sql`version + 1` })
    .where('id', '=', siteId)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()

/** A clock that was set back leaves holds that begin later than now. They do not count. */
export const isHoldOfNow = (now: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql<boolean>`attacked_since <= ${now} + interval '1 minute'`

/**
 * Starts a flood hold until a time, or extends the current one.
 * @returns whether the hold is new
 */
export const extendFloodHold = async (
  tx: Tx,
  siteId: number,
  { at, until }: { at: Instant; until: Instant },
): Promise<boolean> => {
  const { rows } = await sql<{ isNew: boolean }>`
    update sites set attacked_until = ${until}::timestamptz,
      attacked_since = case when attacked_until > ${at}::timestamptz and ${isHoldOfNow(sql`${at}::timestamptz`)}
        then attacked_since
        else ${at}::timestamptz end
    where id = ${siteId} and (attacked_until is null or attacked_until < ${until}::timestamptz
      or not ${isHoldOfNow(sql`${at}::timestamptz`)})
    returning attacked_since = ${at}::timestamptz as is_new`.execute(tx)
  return rows[0]?.isNew ?? false
}

/** The policy version in force, and the flood hold; nulls if there is none. */
export const findModerationState = async (
  db: Db,
  siteId: number,
): Promise<{ policyVersion: number; since: Instant | null; until: Instant | null }> => {
  const { rows } = await sql<Awaited<ReturnType<typeof findModerationState>>>`
    select s.policy_version, attack.* from sites s
    left join lateral (select s.attacked_since as since, s.attacked_until as until
      where s.attacked_until > clock_timestamp() and ${isHoldOfNow(sql`clock_timestamp()`)}) attack on true
    where s.id = ${siteId}`.execute(db)
  return rows[0]!
}

/** The settings of a site that a comment is judged by. */
export type JudgingSettings = Pick<Site, 'moderation' | 'checks' | 'policyVersion'> & {
  /** The end of the flood hold; null if there is none. */
  readonly attackedUntil: Instant | null
}

/** Reads the settings from the database, because a cached site can be older than the caller's lock. */
export const findJudgingSettings = async (db: Db, siteId: number): Promise<JudgingSettings> => {
  const { rows } = await sql<JudgingSettings>`
    select moderation, checks, policy_version,
      case when attacked_until > clock_timestamp() and ${isHoldOfNow(sql`clock_timestamp()`)}
        then attacked_until end as attacked_until
    from sites where id = ${siteId}`.execute(db)
  return rows[0]!
}

const toColumns = ({
  signOn,
  checks,
  origins,
  sorts,
  reservedNames,
  ...plain
}: SiteChange): Updateable<Tables['sites']> => ({
  ...plain,
  ...(origins && { origins: [...origins] }),
  ...(sorts && { sorts: [...sorts] }),
  ...(reservedNames && { reservedNames: [...reservedNames] }),
  ...(signOn !== undefined && { signOn: signOn && JSON.stringify(signOn) }),
  // The driver would turn an array into a Postgres array.
  ...(checks && { checks: JSON.stringify(checks) as never }),
})
