import type { PageCache } from '../cache/pages.ts'
import type { SiteCache } from '../cache/sites.ts'
import type { Db } from '../postgres/connection/db.ts'

/** What every use case is given. */
export type World = {
  readonly db: Db
  readonly pages: PageCache
  readonly sites: SiteCache
}
