-- Guests cannot take the names of members, nor names that the site reserves.

alter table sites add column reserved_names text[] not null default '{}';

-- Two names that readers could take for each other have the same skeleton. Null for guests.
alter table authors add column name_skeleton text;
create index authors_name_skeleton on authors (site_id, name_skeleton) where name_skeleton is not null;
