import { sql } from 'kysely'
import { IDS } from '../../ids.ts'
import { openService, type Teardown, type TestService } from '../../service.ts'
import { FILL_TALLIES } from '../../tallies.ts'
import { runStatements, withoutTimeouts } from '../large-batch.ts'

type Json = Record<string, any>

const SITE = '/v1/sites/default'

/** Thread `b` has one comment. Thread `a` has branches of a root and replies, a tenth of which is held. */
const seed = (url: string, comments: number, branch: number): Promise<void> =>
  runStatements(
    url,
    `
    set session_replication_role = replica;
    insert into authors (site_id, name) select 1, 'Ada ' || n from generate_series(1, 100) n;
    insert into threads (site_id, article_id, version) values (1, 'b', 1), (1, 'a', 1);
    insert into comments (site_id, thread_id, author_id, status, created_at, published_at, body,
      body_html, renderer)
    values (1, 1, 1, 'approved', '2026-01-01', '2026-01-01', 'x', '<p>x</p>', 1);
    insert into comments (site_id, thread_id, parent_id, depth, author_id, status, created_at,
      published_at, body, body_html, renderer)
    select 1, 2, case n % ${branch} when 0 then 0 else 2 + n - n % ${branch} end,
      least(n % ${branch}, 1), 1 + n % 100,
      (case when n % 10 = 9 then 'pending' else 'approved' end)::comment_status,
      '2026-01-02', case when n % 10 <> 9 then timestamptz '2026-01-02' end, 'y', '<p>y</p>', 1
    from generate_series(0, ${comments - 1}) n;
    ${FILL_TALLIES};
    update comment_tallies k set reply_count = r.number
    from (select parent_id, count(*) as number from comments
      where status = 'approved' and parent_id <> 0 group by parent_id) r
    where k.comment_id = r.parent_id;
    insert into votes (site_id, thread_id, comment_id, author_id, value, voted_at)
    select 1, thread_id, id, 2, 1, created_at from comments where status = 'approved';
    update comment_tallies set upvotes = 1 where is_visible;
    update threads t set comment_count = c.comments, root_count = c.roots, last_comment_at = c.newest
    from (select thread_id, count(*) as comments, count(*) filter (where parent_id = 0) as roots,
      max(created_at) as newest from comments where status = 'approved' group by thread_id) c
    where c.thread_id = t.id;
    analyze comments, comment_tallies, threads`,
  )

export type Size = { readonly comments: number; readonly branch: number }

/** A service with a thread `a` of this size, and calls of a moderator who merges it into `b`. */
export const openMerging = async (t: Teardown, { comments, branch }: Size) => {
  const service = await openService(t)
  await seed(service.url, comments, branch)
  const send = (method: string, path: string, body?: Json) =>
    service.call(method, `${SITE}${path}`, { token: service.adminKey, body })
  const findBatch = async (id: string): Promise<Json> =>
    (await send('GET', `/moderation/batches/${id}`)).body
  return {
    service,
    send,
    findBatch,
    merge: (article: string, into: string, more: Json = {}) =>
      send('POST', `/articles/${article}/merges`, { into, ...more }),
    undoBatch: (id: string) => send('POST', `/moderation/batches/${id}/undos`),
    undoDecision: (id: string) => send('POST', `/moderation/decisions/${id}/undos`),
    ended: async (id: string): Promise<Json | false> => {
      const batch = await findBatch(id)
      return batch.ended_at ? batch : false
    },
  }
}

/** The public id of a comment of the seeded thread `a`, by its place from 0 on. */
export const seeded = (place: number): string => IDS.writeComment({ threadId: 2, id: 2 + place })

/** One line for all that is stored of comments, their votes and threads, but for versions. */
export const print = ({ url }: TestService): Promise<Json> =>
  withoutTimeouts(url, async (db) => {
    const { rows } = await sql<Json>`
    select (select md5(string_agg(concat_ws(' ', c.thread_id, id, c.parent_id, depth, status,
        home_thread_id, parent_home_thread_id, reply_count, upvotes, active_at, shown), ',' order by id))
        from comments c join comment_tallies k on k.comment_id = id) as comments,
      (select md5(string_agg(concat_ws(' ', thread_id, comment_id, author_id, value), ','
        order by comment_id, author_id)) from votes) as votes,
      (select json_agg(json_build_array(article_id, state, title, comment_count, root_count,
        last_comment_at) order by id) from threads) as threads`.execute(db)
    return rows[0]!
  })

/** How many comments readers see in each thread, in one snapshot. */
export const countVisible = async ({ db }: TestService): Promise<Record<string, number>> => {
  const { rows } = await sql<{ articleId: string; count: number }>`
    select article_id, comment_count as count from threads order by id`.execute(db)
  return Object.fromEntries(rows.map(({ articleId, count }) => [articleId, count]))
}
