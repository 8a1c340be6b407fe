-- without a transaction
-- The comments of a thread that is shown again become visible together. Comments from before this migration are noted
-- in the order in which they were published, some at a time while others write. A line that ends with a semicolon would
-- end the statement.

create or replace function note_appearances() returns trigger language plpgsql as $$ begin
  insert into new_appearances (site_id, thread_id, comment_id)
    select new.site_id, coalesce(c.home_thread_id, c.thread_id), c.id from comments c
    where c.site_id = new.site_id and c.thread_id = new.id and c.status = 'approved'
    order by c.published_at, c.id
  ; return null
  ; end $$;

create or replace trigger threads_appear after update of state on threads
  for each row when (old.state = 'hidden' and new.state <> 'hidden') execute function note_appearances();

-- The trigger has noted what became visible since migration 0035, and all of it after "until". After a kill the block runs
-- again, and "known" is what it has noted before.
do $$ declare
  one int
  ; until timestamptz := clock_timestamp()
  ; known bigint[]
  ; last_at timestamptz
  ; last_id bigint
  ; begin
    for one in select id from sites order by id loop
      known := array(select comment_id from new_appearances where site_id = one)
      ; last_at := '-infinity'
      ; last_id := 0
      ; loop
        with stored as materialized (
          select * from (
            (select c.thread_id, c.home_thread_id, c.id, c.published_at from comments c
              where c.site_id = one and least(c.parent_id, 1) = 0 and c.status = 'approved'
                and (c.published_at, c.id) > (last_at, last_id) and c.published_at <= until
              order by c.published_at, c.id limit 5000)
            union all
            (select c.thread_id, c.home_thread_id, c.id, c.published_at from comments c
              where c.site_id = one and least(c.parent_id, 1) = 1 and c.status = 'approved'
                and (c.published_at, c.id) > (last_at, last_id) and c.published_at <= until
              order by c.published_at, c.id limit 5000)
          ) c order by c.published_at, c.id limit 5000
        ), added as (
          insert into new_appearances (site_id, thread_id, comment_id)
          select one, coalesce(home_thread_id, thread_id), id from stored
          where not exists (select from unnest(known) k where k = stored.id) order by published_at, id
        )
        select published_at, id into last_at, last_id from stored order by published_at desc, id desc limit 1
        ; exit when not found
        ; commit
      ; end loop
    ; end loop
  ; end $$;
