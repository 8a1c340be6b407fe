-- An article can have further ids. The row of an alias has no comments, and names the thread that has them, so
-- that the unique index `threads_article` makes every id of a site either a thread or an alias.

alter type audit_action add value if not exists 'alias_created';
alter type audit_action add value if not exists 'alias_deleted';

alter table threads
  add column alias_of bigint,                            -- the thread that this id names; never an alias itself
  add column alias_via bigint,                           -- the row that got the alias: alias_of, until that became an alias
  add column is_bare boolean not null default false;     -- an alias that never was a thread
alter table threads add constraint threads_alias check (
  (alias_of is null) = (alias_via is null) and alias_of <> id and alias_via <> id
  and (alias_of is null or comment_count = 0) and (alias_of is not null or not is_bare)
) not valid;
create index threads_aliases on threads (site_id, alias_of, id) where alias_of is not null;
