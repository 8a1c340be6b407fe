import { sql } from 'kysely'
import type { Db } from '../src/postgres/connection/db.ts'

/**
 * Every figure that is stored although it could be counted, counted again from parents and statuses
 * alone. What is shown: an approved comment, and whatever it hangs below.
 * @returns the differences, as sentences; none when the database is sound
 */
export const recount = async (db: Db): Promise<string[]> => {
  const { rows } = await sql<{ difference: string }>`
    with recursive
    walked as (
      select site_id, thread_id, id, 0 as depth from comments where parent_id = 0
      union all
      select c.site_id, c.thread_id, c.id, w.depth + 1
      from comments c join walked w
        on (w.site_id, w.thread_id, w.id) = (c.site_id, c.thread_id, c.parent_id)
    ),
    kept as (
      select site_id, thread_id, id, parent_id from comments where status = 'approved'
      union
      select p.site_id, p.thread_id, p.id, p.parent_id
      from comments p join kept k
        on (k.site_id, k.thread_id, k.parent_id) = (p.site_id, p.thread_id, p.id)
    ),
    replies as (
      select site_id, thread_id, c.parent_id as id, count(*) as number, max(created_at) as newest
      from comments c join kept using (site_id, thread_id, id)
      where c.parent_id <> 0 group by site_id, thread_id, c.parent_id
    ),
    revisions as (
      select site_id, comment_id as id, count(*) as number from comment_revisions group by 1, 2
    ),
    ballots as (
      select site_id, thread_id, comment_id as id, count(*) filter (where value = 1) as up,
        count(*) filter (where value = -1) as down
      from votes group by 1, 2, 3
    ),
    counted_elsewhere as (
      select i.site_id, i.comment_id as id, sum(upvotes) as up, sum(downvotes) as down
      from imported_comments i join import_origins o on (o.site_id, o.id) = (i.site_id, i.origin_id)
      where o.origin not like 'afterword:%' group by 1, 2
    ),
    complaints as (
      select site_id, thread_id, comment_id as id, count(*) as number
      from flags where resolved_at is null group by 1, 2, 3
    ),
    thread_truth as (
      select t.site_id, t.id, count(c.id) as comments,
        count(c.id) filter (where c.parent_id = 0) as roots, max(c.created_at) as newest
      from threads t left join comments c
        on c.site_id = t.site_id and c.thread_id = t.id and c.status = 'approved'
      group by t.site_id, t.id
    ),
    figures (place, figure, stored, true_one) as (
      select format('comment %s', c.id), f.*
      from comments c
      left join walked w using (site_id, thread_id, id)
      left join kept k using (site_id, thread_id, id)
      left join replies r using (site_id, thread_id, id)
      left join revisions v using (site_id, id)
      left join ballots b using (site_id, thread_id, id)
      left join counted_elsewhere e using (site_id, id)
      left join complaints l using (site_id, thread_id, id)
      left join comment_tallies y
        on (y.site_id, y.thread_id, y.comment_id) = (c.site_id, c.thread_id, c.id)
      cross join lateral (values
        ('depth below its parents in this thread', c.depth::text, w.depth::text),
        ('tally', 'true', (y.comment_id is not null)::text),
        ('parent of the tally', y.parent_id::text, c.parent_id::text),
        ('time of the tally', y.created_at::text, c.created_at::text),
        ('visible', y.is_visible::text, (c.status = 'approved')::text),
        ('shown', y.shown::text, (k.id is not null)::text),
        ('reply_count', y.reply_count::text, coalesce(r.number, 0)::text),
        ('active_at', y.active_at::text, greatest(c.created_at, r.newest)::text),
        ('revision', c.revision::text, (coalesce(v.number, 0) + 1)::text),
        ('upvotes', y.upvotes::text, (coalesce(b.up, 0) + coalesce(e.up, 0))::text),
        ('downvotes', y.downvotes::text, (coalesce(b.down, 0) + coalesce(e.down, 0))::text),
        ('flag_count', c.flag_count::text, coalesce(l.number, 0)::text),
        ('lack of published_at', 'false', (c.status = 'approved' and c.published_at is null)::text)
      ) f
      union all
      select format('thread %s', t.id), f.*
      from threads t join thread_truth r using (site_id, id)
      cross join lateral (values
        ('comment_count', t.comment_count::text, r.comments::text),
        ('root_count', t.root_count::text, r.roots::text),
        ('last_comment_at', t.last_comment_at::text, r.newest::text),
        ('lack of a version', 'false', (t.version = 0 and r.comments > 0)::text)
      ) f
    )
    select format('%s: %s is %s, counted %s', place, figure, coalesce(stored, 'null'),
      coalesce(true_one, 'nothing')) as difference
    from figures where stored is distinct from true_one order by 1`.execute(db)
  return rows.map(({ difference }) => difference)
}
