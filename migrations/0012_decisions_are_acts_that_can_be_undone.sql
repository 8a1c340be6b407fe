-- Every act of a moderator is one row: a change of status, and what else can be done to a comment, a
-- thread or an author. Many at once are a batch; large ones are done by whichever node comes first.

create type decision_action as enum
  ('status', 'edit', 'pin', 'lock', 'move', 'thread', 'ban', 'unban', 'note', 'appeal');

create type batch_kind as enum ('decide', 'undo', 'judge');

create table batches (
  site_id int not null references sites,
  id bigint generated always as identity,
  kind batch_kind not null,
  request jsonb not null,                                -- what to do, and with which comments
  asked_by text not null,                                -- public id of a key or member
  asked_at timestamptz(3) not null,
  total int not null check (total >= 0),
  done int not null default 0 check (done >= 0),         -- looked at, changed or not
  changed int not null default 0 check (changed >= 0),
  outcomes jsonb not null default '{}',                  -- how many had which, for kinds with items
  after_id bigint not null default 0,                    -- where its next step begins, for kinds without items
  ended_at timestamptz(3),
  primary key (site_id, id)
);
create index batches_to_do on batches (asked_at) where ended_at is null;

create type batch_outcome as enum
  ('changed', 'unchanged', 'decision_conflict', 'not_found', 'move_not_allowed');

-- The comments of a batch, as they were when it was asked for, and what became of each. What has no
-- outcome is still to be done. They are kept for a day after its end.
create table batch_items (
  site_id int not null,
  batch_id bigint not null,
  thread_id bigint not null,
  comment_id bigint not null,
  place int not null,                                    -- in the request
  seen comment_status,                                   -- what it must still have; null: it is not there
  undoes bigint,                                         -- the decision to be taken back
  outcome batch_outcome,
  decision_id bigint,
  primary key (site_id, batch_id, thread_id, comment_id)
);

alter table decisions
  add column action decision_action not null default 'status',
  add column before jsonb,                               -- of what has changed, but for the status
  add column after jsonb,
  add column subject text,                               -- article, author or ban, where no comment is meant
  add column policy_version int,                         -- in force when it was decided
  add column batch_id bigint,
  add column undoes bigint,                              -- the decision that this one takes back
  add column author_id bigint,                           -- who wrote the comment, or is meant
  add column held_ms bigint,                             -- so long it had waited, if it was pending
  alter column thread_id drop not null,
  alter column comment_id drop not null,
  alter column from_status drop not null,
  alter column to_status drop not null;
create unique index decisions_undone on decisions (site_id, undoes) where undoes is not null;
create index decisions_of_batch on decisions (site_id, batch_id, id) where batch_id is not null;
create index decisions_caused on decisions (site_id, caused_by) where caused_by is not null;

-- So that what is taken back gives the flags back too.
alter table flags add column resolved_by bigint;

-- Two moderators do not do the same work. A claim that has expired is none.
create table claims (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  claimed_by text not null,                              -- public id of a key or member
  claimed_until timestamptz(3) not null,
  primary key (site_id, comment_id)
);
create index claims_of_moderator on claims (site_id, claimed_by, claimed_until);

-- What moderators say often, in words that are ready.
create table canned_reasons (
  site_id int not null references sites,
  id int generated always as identity,
  title text not null,
  reason decision_reason not null,
  note text not null,
  primary key (site_id, id)
);

alter type audit_action add value 'reason_created';
alter type audit_action add value 'reason_updated';
alter type audit_action add value 'reason_deleted';

-- What moderators tell each other about an author.
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
