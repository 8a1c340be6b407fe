-- Policies, decisions and their batches, claims, canned reasons and appeals.

-- Append-only. Version 0 is the default policy and has no row.
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

create type decision_action as enum
  ('status', 'edit', 'pin', 'lock', 'move', 'thread', 'ban', 'unban', 'note', 'appeal');

-- Append-only: one row per recorded act of a moderator, of rules or of flags.
create table decisions (
  site_id int not null references sites,
  id bigint generated always as identity,
  action decision_action not null default 'status',
  thread_id bigint,
  comment_id bigint,
  author_id bigint,                                      -- the comment's author, or the author decided on
  subject text,                                          -- article, author or ban of a decision on no comment
  from_status comment_status,
  to_status comment_status,
  before jsonb,                                          -- changed values other than the status
  after jsonb,
  reason decision_reason,
  note text,
  decided_by text not null,                              -- public id of the key or member
  decided_at timestamptz(3) not null,
  caused_by bigint,                                      -- the decision from which this one cascaded
  undoes bigint,                                         -- the decision that this one undoes
  batch_id bigint,
  policy_version int,                                    -- in force at the time
  held_ms bigint,                                        -- how long a pending comment had waited
  primary key (site_id, id),
  check (from_status <> to_status)
);
create index decisions_of_comment on decisions (site_id, comment_id, id);
create unique index decisions_undone on decisions (site_id, undoes) where undoes is not null;
create index decisions_of_batch on decisions (site_id, batch_id, id) where batch_id is not null;
create index decisions_caused on decisions (site_id, caused_by) where caused_by is not null;

-- The moderation log by rare actions, by time, and of one author, article or moderator.
create index decisions_rare on decisions (site_id, action, id)
  where action <> 'status';
create index decisions_at on decisions (site_id, decided_at, id)
  include (action, to_status, decided_by, held_ms, undoes);
create index decisions_of_author on decisions (site_id, author_id, id)
  where author_id is not null;
create index decisions_of_thread on decisions (site_id, thread_id, id)
  where thread_id is not null;
create index decisions_by on decisions (site_id, decided_by, id);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'decisions are append-only';
end $$;
create trigger decisions_append_only before update or delete on decisions
  for each row execute function refuse_change();
create trigger decisions_never_emptied before truncate on decisions
  for each statement execute function refuse_change();

create type batch_kind as enum ('decide', 'undo', 'judge');

-- Many decisions by one request. Any node processes a large batch, step by step.
create table batches (
  site_id int not null references sites,
  id bigint generated always as identity,
  kind batch_kind not null,
  request jsonb not null,                                -- what to do, with which comments
  asked_by text not null,                                -- public id of a key or member
  asked_at timestamptz(3) not null,
  total int not null check (total >= 0),
  done int not null default 0 check (done >= 0),         -- processed, changed or not
  changed int not null default 0 check (changed >= 0),
  outcomes jsonb not null default '{}',                  -- number of items per outcome
  after_id bigint not null default 0,                    -- where the next step starts, for kinds without items
  ended_at timestamptz(3),
  primary key (site_id, id)
);

create type batch_outcome as enum
  ('changed', 'unchanged', 'decision_conflict', 'not_found', 'move_not_allowed');

-- The comments of a batch with their status at the time of the request. Items without an outcome are
-- still to be processed. Items are deleted a day after the batch ends.
create table batch_items (
  site_id int not null,
  batch_id bigint not null,
  thread_id bigint not null,
  comment_id bigint not null,
  place int not null,                                    -- in the request
  seen comment_status,                                   -- the status it must still have; null: not found
  undoes bigint,                                         -- the decision to undo
  outcome batch_outcome,
  decision_id bigint,
  primary key (site_id, batch_id, thread_id, comment_id)
);

-- A claim reserves a queued comment for one moderator until it expires.
create table claims (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  claimed_by text not null,                              -- public id of a key or member
  claimed_until timestamptz(3) not null,
  primary key (site_id, comment_id)
);
create index claims_of_moderator on claims (site_id, claimed_by, claimed_until);

-- Prepared reasons and notes for decisions.
create table canned_reasons (
  site_id int not null references sites,
  id int generated always as identity,
  title text not null,
  reason decision_reason not null,
  note text not null,
  primary key (site_id, id)
);

create type appeal_outcome as enum ('upheld', 'overturned');

-- An author can ask once per comment for a second look.
create table appeals (
  site_id int not null,
  id bigint generated always as identity,
  thread_id bigint not null,
  comment_id bigint not null,
  author_id bigint not null,
  text text not null,
  appealed_at timestamptz(3) not null,
  decision_id bigint,                                    -- the decision appealed; null: the rules decided
  decided_by text,                                       -- who cannot answer the appeal
  outcome appeal_outcome,                                -- null: not answered
  note text,                                             -- for the author
  answered_by text,
  answered_at timestamptz(3),
  primary key (site_id, id),
  constraint appeals_once unique (site_id, comment_id),
  constraint appeals_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index appeals_waiting on appeals (site_id, id) where outcome is null;
create index appeals_answered on appeals (site_id, answered_at, id) where outcome is not null;
create index appeals_of_author on appeals (site_id, author_id, thread_id, comment_id);
