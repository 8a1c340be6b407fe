-- Sites with their settings, the API keys that open them, and what every node of the service shares.
--
-- Every key of a site's rows leads with site_id, so that the tables can be partitioned or distributed
-- by site. Ids are identities that stay below 2^53, so that a JSON number holds them exactly.

create type moderation_mode as enum ('post', 'pre');
create type posting_right as enum ('anyone', 'members', 'nobody');

create table sites (
  id int generated always as identity primary key,
  slug text not null constraint sites_slug unique
    check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null,
  version bigint not null default 1,
  created_at timestamptz(3) not null default now(),

  origins text[] not null default '{*}',
  login_url text,
  sorts text[] not null default '{newest,oldest,top,best,hot,controversial,active}',
  max_depth int not null default 100 check (max_depth between 0 and 400),
  edit_window_seconds int not null default 300 check (edit_window_seconds between 0 and 31536000),
  -- Per person and minute: create, vote, flag, preview, sign_on. The service's settings replace a
  -- missing limit.
  limits jsonb not null default '{}',
  slow_mode_seconds int not null default 0,              -- between two comments of one person; 0: no wait
  close_after_days int not null default 0,               -- from the thread's creation; 0: never
  retention_days int not null default 30,                -- how long addresses are kept

  posting posting_right not null default 'anyone',
  -- { issuer, hs256: [{ kid, secret }] } or { issuer, jwks_url }; null: the site has no members.
  sign_on jsonb,

  moderation moderation_mode not null default 'post',
  policy_version int not null default 0,                 -- 0: the default policy
  flag_threshold int not null default 0,                 -- this number of flags holds a comment; 0: never
  -- [{ name, kind, url, secret, … }]; no API response contains the secrets.
  checks jsonb not null default '[]',
  -- During a flood every new comment is held.
  attacked_since timestamptz(3),
  attacked_until timestamptz(3)
);

-- Secrets that the service makes once and every node shares.
create table secrets (
  name text primary key,
  value bytea not null
);

create type key_scope as enum ('read', 'moderate', 'admin');

create table api_keys (
  id int generated always as identity primary key,
  site_id int references sites,                          -- null: every site
  scope key_scope not null,
  name text not null,
  -- SHA-256 of the key. The key itself is stored nowhere.
  hash bytea not null constraint api_keys_hash unique,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  last_used_at timestamptz(3)                            -- at most a minute too early
);

-- One row per write that was answered and carried an Idempotency-Key, written in the transaction of
-- that write. key_hash is the SHA-256 of operation, path, caller and key.
create table idempotency_keys (
  site_id int not null references sites,
  key_hash bytea not null,
  body_hash bytea not null,
  answer json not null,                                  -- json, not jsonb: a replay returns the same bytes
  created_at timestamptz(3) not null default now(),
  primary key (site_id, key_hash)
);
create index idempotency_keys_age on idempotency_keys (created_at);
-- Erasing an author deletes the answers that name it in either of two places.
create index idempotency_keys_person on idempotency_keys
  (site_id, (coalesce(answer #>> '{body,author,id}', answer #>> '{body,author_id}')));

create function refuse_change_of_record() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;

create type audit_action as enum ('site_created', 'site_updated', 'key_created', 'key_rotated',
  'key_revoked', 'member_updated', 'author_exported', 'author_erased', 'policy_updated',
  'site_attacked', 'reason_created', 'reason_updated', 'reason_deleted', 'ban_created', 'ban_lifted');

-- Append-only: one row per change that an administrator made. It holds no secrets and no personal data.
create table audit (
  id bigint generated always as identity primary key,
  site_id int references sites,                          -- null: the whole service
  action audit_action not null,
  subject text not null,                                 -- slug, or public id of a key or an author
  done_by text not null,                                 -- public id of a key or member
  done_at timestamptz(3) not null,
  before jsonb,                                          -- the changed values before the change
  after jsonb                                            -- and after it
);
create index audit_of_site on audit (site_id, id);
create trigger audit_append_only before update or delete on audit
  for each row execute function refuse_change_of_record();
create trigger audit_never_emptied before truncate on audit
  for each statement execute function refuse_change_of_record();
