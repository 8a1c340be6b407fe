-- without a transaction
-- What the job that forgets addresses has still to do.
drop index concurrently if exists comments_addresses;
create index concurrently comments_addresses on comments (site_id, created_at)
  where address_hash is not null;
