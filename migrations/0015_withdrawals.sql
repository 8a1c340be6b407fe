-- A comment that its author deleted. Moderators' decisions do not change this fact, and only the author takes it
-- back. The retention job deletes the text.

alter table comments add column withdrawn_at timestamptz(3);
alter table comments add column withdrawn_from comment_status;   -- the status before; null if it is unknown
create index comments_withdrawn on comments (site_id, withdrawn_at) where withdrawn_at is not null and body <> '';

-- Earlier releases recorded the deletions of moderators only.
update comments c set withdrawn_at = now()
where c.status = 'deleted' and not exists (
  select from decisions d where d.site_id = c.site_id and d.comment_id = c.id and d.to_status = 'deleted');
