-- without a transaction
-- A key that posts in its own name is one author on each site. A rotated key posts as the key that it replaces.

alter table api_keys add column if not exists first_id int;     -- the first key of a chain of rotations; null: this key
alter table authors add column if not exists key_id int;        -- the first key that posts as this author; null: a person
drop index if exists authors_key;
create unique index concurrently authors_key on authors (site_id, key_id)
  where key_id is not null and erased_at is null;
