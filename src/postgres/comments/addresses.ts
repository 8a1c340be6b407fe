import { sql } from 'kysely'

/** The row of `comment_addresses d` of `comments c`, unless retention or erasure has deleted it. */
export const joinAddress = sql`
  left join comment_addresses d
    on d.site_id = c.site_id and d.written_at = c.created_at and d.comment_id = c.id`
