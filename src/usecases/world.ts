import type { PageCache } from '../cache/pages.ts'
import type { SiteCache } from '../cache/sites.ts'
import type { Db } from '../postgres/connection/db.ts'

/** What every use case is given. */
export type World = {
  /** For reading. */
  readonly db: Db
  /** For transactions: writers who wait for a thread take no connection from readers. */
  readonly writes: Db
  readonly pages: PageCache
  readonly sites: SiteCache
}
