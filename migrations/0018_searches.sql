-- Lists of threads, members and authors that moderators search, and decisions on many threads.

create index threads_by_activity on threads (site_id, (coalesce(last_comment_at, created_at)), id)
  where deleted_at is null;
create index threads_not_open on threads (site_id, state) where state <> 'open' and deleted_at is null;
create index threads_without_comments on threads (site_id) where comment_count = 0 and deleted_at is null;

alter type batch_kind add value 'decide_threads';
-- An item can be a thread: its comment_id is 0. A thread that does not exist has thread_id 0, and its place
-- in the request as comment_id.
alter table batch_items add column article_id text;              -- null: the item is a comment
alter table batch_items add column seen_state thread_state;      -- the state that the thread must still have

create index authors_by_name on authors (site_id, (lower(name) collate "C")) where erased_at is null;
create index authors_by_email on authors (site_id, (lower(email))) where email is not null;
create index authors_with_role on authors (site_id, role) where role <> 'reader';
create index authors_suspended on authors (site_id) where suspended_at is not null;
create index authors_members on authors (site_id, id) where subject is not null;

-- The author of the comment. Null: a release before this one stored the address.
alter table comment_addresses add column author_id bigint;
update comment_addresses d set author_id = c.author_id
from comments c
where c.site_id = d.site_id and c.id = d.comment_id and c.created_at = d.written_at;
create index comment_addresses_of_author on comment_addresses (site_id, author_id, written_at);
create index comment_addresses_of_network on comment_addresses
  (site_id, (case when network <> 'unknown' then network::inet end), author_id);
