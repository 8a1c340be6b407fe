-- Imports of comments from other systems, and which rows they made.

alter type audit_action add value if not exists 'import_started';
alter type audit_action add value if not exists 'site_exported';
alter type audit_action add value if not exists 'comments_reassigned';

create type import_state as enum ('uploading', 'waiting', 'running', 'done', 'failed', 'cancelled');
create type import_unapproved as enum ('keep', 'skip');

create table imports (
  site_id int not null references sites,
  id bigint generated always as identity,
  state import_state not null default 'uploading',
  dry_run boolean not null,                              -- reports what the import would do, and changes nothing
  unapproved import_unapproved not null,                 -- what becomes of comments that readers could not see
  wanted_format text,                                    -- null: the file tells
  wanted_origin text,                                    -- null: the file tells
  byte_count bigint not null default 0,                  -- of the file as it was sent
  report jsonb,                                          -- so far while the import runs
  fault jsonb,                                           -- why it failed: { detail, line, column }
  asked_by text not null,                                -- public id of a key or member
  asked_at timestamptz(3) not null,
  ended_at timestamptz(3),
  primary key (site_id, id)
);

-- The file of an import in pieces, until the import ends.
create table import_chunks (
  site_id int not null,
  import_id bigint not null,
  place int not null,
  bytes bytea not null,
  primary key (site_id, import_id, place)
);
alter table import_chunks alter column bytes set storage external;

-- The systems whose ids the tables below contain, such as `wordpress:https://blog.example`.
create table import_origins (
  site_id int not null references sites,
  id int generated always as identity,
  origin text not null,
  primary key (site_id, id)
);
create unique index import_origins_origin on import_origins (site_id, origin);

create table imported_authors (
  site_id int not null,
  origin_id int not null,
  source_id text not null,                               -- the author's id in the other system
  author_id bigint not null,
  profile_hash bigint not null,                          -- of name, e-mail and website at the last import
  primary key (site_id, origin_id, source_id)
);
create index imported_authors_of_author on imported_authors (site_id, author_id);

-- An imported comment, and what the last import said of it: the next import changes only what the other system
-- changed since.
create table imported_comments (
  site_id int not null,
  origin_id int not null,
  source_id text not null,                               -- the comment's id in the other system
  import_id bigint not null,                             -- the import that created the comment
  home_thread_id bigint not null,                        -- the thread in the comment's public id
  comment_id bigint not null,
  text_hash bigint not null,
  status comment_status not null,
  upvotes int not null,
  downvotes int not null,
  pinned boolean not null,
  primary key (site_id, origin_id, source_id)
);
create index imported_comments_of_comment on imported_comments (site_id, comment_id);

-- Rows of other kinds that came with an export of this service, such as decisions and bans.
create table imported_records (
  site_id int not null,
  origin_id int not null,
  kind text not null,
  source_id text not null,                               -- the row's id in the export
  row_id bigint not null,
  primary key (site_id, origin_id, kind, source_id)
);
