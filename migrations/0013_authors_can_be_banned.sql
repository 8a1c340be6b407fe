-- Who may not write here, or is held, or speaks to itself alone.

create type ban_kind as enum ('author', 'network', 'email', 'email_domain');
create type ban_effect as enum ('block', 'hold', 'shadow');

create table bans (
  id bigint generated always as identity primary key,
  site_id int references sites,                          -- null: every site
  kind ban_kind not null,
  author_id bigint,                                      -- a member, or the guest of a token
  network cidr,
  email_hash bytea,                                      -- keyed; the address itself is kept nowhere
  domain text,                                           -- of e-mail; of a banned address too, for people
  effect ban_effect not null,
  reason decision_reason,
  note text,
  made_by text not null,                                 -- public id of a key or member
  made_at timestamptz(3) not null,
  expires_at timestamptz(3),
  lifted_by text,
  lifted_at timestamptz(3),
  constraint bans_author foreign key (site_id, author_id) references authors (site_id, id),
  check (num_nonnulls(author_id, network, email_hash) <= 1)
);
create index bans_of_author on bans (site_id, author_id) where author_id is not null and lifted_at is null;
create index bans_of_network on bans using gist (network inet_ops) where network is not null and lifted_at is null;
create index bans_of_email on bans (email_hash) where email_hash is not null and lifted_at is null;
create index bans_of_domain on bans (domain) where kind = 'email_domain' and lifted_at is null;
create index bans_of_site on bans (site_id, id);

-- Only its author sees it.
alter table comments add column shadowed boolean not null default false;

alter type audit_action add value 'ban_created';
alter type audit_action add value 'ban_lifted';
