/** The tallies of comments that a test inserted by itself, without votes; run after it. */
export const FILL_TALLIES = `
  insert into comment_tallies (site_id, thread_id, comment_id, parent_id, created_at, is_visible,
    active_at)
  select c.site_id, c.thread_id, c.id, c.parent_id, c.created_at, c.status = 'approved', c.created_at
  from comments c
  on conflict do nothing`
