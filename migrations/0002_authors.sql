-- Authors, notes about them, and bans.

create type author_kind as enum ('guest', 'member');
create type author_role as enum ('reader', 'contributor', 'moderator', 'owner');

-- A member signs on with a token of the site; a guest holds a guest token. Roles come from the member's
-- token and from administrators; an author has both.
create table authors (
  site_id int not null references sites,
  id bigint generated always as identity,
  kind author_kind not null default 'guest',
  role author_role not null default 'reader',
  name text not null,
  url text,
  avatar_url text,
  email text,                                            -- moderators see it; it identifies no one
  email_verified boolean not null default false,
  location text,
  subject text,                                          -- the member's id in the site's user database
  signed_on_at timestamptz(3),                           -- issue time of the newest token seen
  token_roles author_role[] not null default '{}',
  granted_roles author_role[] not null default '{}',
  listed boolean not null default false,                 -- in the list of staff that readers see
  created_at timestamptz(3) not null default now(),
  erased_at timestamptz(3),
  -- Keyed hash of the erased member's subject: a token from before the erasure creates no new author.
  erased_subject bytea,
  primary key (site_id, id)
);
create unique index authors_subject on authors (site_id, subject) where subject is not null;
create index authors_erased_subject on authors (site_id, erased_subject)
  where erased_subject is not null;
create index authors_listed on authors (site_id, id) where listed;

-- Moderators' notes about an author.
create table author_notes (
  site_id int not null,
  id bigint generated always as identity,
  author_id bigint not null,
  note text not null,
  noted_by text not null,                                -- public id of a key or member
  noted_at timestamptz(3) not null,
  primary key (site_id, id),
  constraint author_notes_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index author_notes_of_author on author_notes (site_id, author_id, id);

create type decision_reason as enum
  ('spam', 'offensive', 'abusive', 'off_topic', 'illegal', 'duplicate', 'other');

create type ban_kind as enum ('author', 'network', 'email', 'email_domain');
create type ban_effect as enum ('block', 'hold', 'shadow');

-- A ban restricts the writers that it names: block refuses them, hold holds their comments, shadow shows
-- their comments to them alone.
create table bans (
  id bigint generated always as identity primary key,
  site_id int references sites,                          -- null: every site
  kind ban_kind not null,
  author_id bigint,                                      -- a member, or the guest of a token
  network cidr,
  email_hash bytea,                                      -- keyed; the address itself is stored nowhere
  domain text,                                           -- of e-mail; of a banned address too, for display
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
