-- Policies are data with a version; a comment keeps the version and the facts that it was judged by, so
-- that it can be judged again.

-- Append-only. Version 0 is the one that the service ships, and is in no row.
create table policies (
  site_id int not null references sites,
  version int not null check (version > 0),
  policy jsonb not null,
  note text,
  made_by text not null,                                 -- public id of a key or member
  made_at timestamptz(3) not null,
  primary key (site_id, version)
);
create trigger policies_append_only before update or delete on policies
  for each row execute function refuse_change_of_record();
create trigger policies_never_emptied before truncate on policies
  for each statement execute function refuse_change_of_record();

alter table sites
  add column policy_version int not null default 0,
  -- While too much arrives, everything is held.
  add column attacked_since timestamptz(3),
  add column attacked_until timestamptz(3);

alter table comments
  add column policy_version int,                         -- null: judged before there were policies
  add column facts jsonb,                                -- what was known when it was judged
  add column risk smallint not null default 0;           -- 0 to 100, from the trace

alter type audit_action add value 'policy_updated';
alter type audit_action add value 'site_attacked';

-- What has arrived lately, whatever became of it: what repeats and floods are counted from. Rows go
-- after a day. Unlogged: it costs half as much, and after a crash one only counts anew.
create unlogged table arrivals (
  site_id int not null,
  comment_id bigint not null,
  thread_id bigint not null,
  author_id bigint not null,
  address_hash bytea,
  fingerprint bigint not null,                           -- of the folded text
  sketch bigint[] not null,                              -- its least shingles, to tell how alike two texts are
  arrived_at timestamptz(3) not null,
  primary key (site_id, comment_id)
);
create index arrivals_of_site on arrivals (site_id, arrived_at);
create index arrivals_of_thread on arrivals (site_id, thread_id, arrived_at);
create index arrivals_of_author on arrivals (site_id, author_id, arrived_at);
create index arrivals_of_network on arrivals (address_hash, arrived_at) where address_hash is not null;
create index arrivals_alike on arrivals (site_id, fingerprint, arrived_at);
