-- Who may act, what moderators decided, and which writes have been answered.

-- The service's own secrets, made once and shared by every node.
create table secrets (
  name text primary key,
  value bytea not null
);

create type key_scope as enum ('read', 'moderate', 'admin');

create table api_keys (
  id int generated always as identity primary key,
  site_id int references sites,              -- null: every site
  scope key_scope not null,
  name text not null,
  hash bytea not null constraint api_keys_hash unique,   -- SHA-256 of the key; the key itself is kept nowhere
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3),
  revoked_at timestamptz(3)
);

create type decision_reason as enum
  ('spam', 'offensive', 'abusive', 'off_topic', 'illegal', 'duplicate', 'other');

-- Append-only: each change of a comment's status by a moderator is one row.
create table decisions (
  site_id int not null references sites,
  id bigint generated always as identity,
  thread_id bigint not null,
  comment_id bigint not null,
  from_status comment_status not null,
  to_status comment_status not null,
  reason decision_reason,
  note text,
  caused_by bigint,                          -- the decision on an ancestor that took this comment along
  decided_by text not null,                  -- public id of the key or member
  decided_at timestamptz(3) not null,
  primary key (site_id, id),
  check (from_status <> to_status)
);
create index decisions_of_comment on decisions (site_id, comment_id, id);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'decisions are append-only';
end $$;
create trigger decisions_append_only before update or delete on decisions
  for each row execute function refuse_change();
create trigger decisions_never_emptied before truncate on decisions
  for each statement execute function refuse_change();

-- One row per answered write that carried an Idempotency-Key; written in the same transaction as
-- its effect. "claim" is the SHA-256 of operation, path, caller and key.
create table idempotency_keys (
  site_id int not null references sites,
  claim bytea not null,
  body_hash bytea not null,
  answer json not null,                     -- json, not jsonb: the same bytes again
  created_at timestamptz(3) not null default now(),
  primary key (site_id, claim)
);
create index idempotency_keys_age on idempotency_keys (created_at);
