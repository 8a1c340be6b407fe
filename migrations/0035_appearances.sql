-- The order in which comments became visible. A trigger notes every one, whichever version of the program wrote it.

-- Comments that became visible and have no position yet. Rows get positions after their commit, when someone reads.
create table new_appearances (
  site_id int not null,
  id bigint generated always as identity,
  thread_id bigint not null,                             -- the thread where the comment was written
  comment_id bigint not null,
  primary key (site_id, id)
);

create table appearances (
  site_id int not null,
  position bigint not null,                              -- at least the time in microseconds
  thread_id bigint not null,
  comment_id bigint not null,
  primary key (site_id, position)
);

create function note_appearance() returns trigger language plpgsql as $$
begin
  -- A moved comment becomes visible if its former thread was hidden.
  if tg_op = 'UPDATE' and old.status = 'approved' and not exists (
    select from threads t where t.site_id = old.site_id and t.id = old.thread_id and t.state = 'hidden'
  ) then
    return null;
  end if;
  insert into new_appearances (site_id, thread_id, comment_id)
    values (new.site_id, coalesce(new.home_thread_id, new.thread_id), new.id);
  return null;
end $$;

create trigger comments_appear after insert on comments
  for each row when (new.status = 'approved') execute function note_appearance();
create trigger comments_appear_again after update of status, thread_id on comments
  for each row when (new.status = 'approved'
    and (old.status <> 'approved' or old.thread_id <> new.thread_id)) execute function note_appearance();
