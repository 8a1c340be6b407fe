import { sql } from 'kysely'
import type { Site } from '../domain/site.ts'
import type { Db } from './connection/db.ts'

/** Named, because a prepared `select *` fails on every connection once a migration adds a column. */
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
  'version',
  'createdAt',
] as const

export const findSite = (db: Db, slug: string): Promise<Site | undefined> =>
  db.selectFrom('sites').select(COLUMNS).where('slug', '=', slug).executeTakeFirst()

export const insertSiteOnce = async (
  db: Db,
  site: { slug: string; name: string },
): Promise<void> => {
  await db
    .insertInto('sites')
    .values(site)
    .onConflict((c) => c.doNothing())
    .execute()
}

export type SiteChange = Partial<
  Pick<Site, 'name' | 'moderation' | 'posting' | 'loginUrl' | 'editWindowSeconds' | 'maxDepth'> & {
    origins: string[]
  }
>

export const updateSite = (db: Db, siteId: number, change: SiteChange): Promise<Site> =>
  db
    .updateTable('sites')
    .set({ ...change, version: sql`version + 1` })
    .where('id', '=', siteId)
    .returning(COLUMNS)
    .executeTakeFirstOrThrow()
