-- Sites, their threads and comments, and the authors who wrote them.
--
-- Every key leads with site_id and then thread_id: a page of a thread reads neighbouring rows, and
-- the tables can be partitioned or distributed by site later. Ids are identities that stay below
-- 2^53, so that they pass through JSON numbers unharmed.

create type moderation_mode as enum ('post', 'pre');
create type thread_state as enum ('open', 'closed', 'locked', 'hidden');
create type comment_status as enum ('pending', 'approved', 'spam', 'rejected', 'deleted');
create type author_kind as enum ('guest', 'member');
create type author_role as enum ('reader', 'contributor', 'moderator', 'owner');
create type posting_right as enum ('anyone', 'members', 'nobody');

create table sites (
  id int generated always as identity primary key,
  slug text not null constraint sites_slug unique
    check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name text not null,
  origins text[] not null default '{*}',
  moderation moderation_mode not null default 'post',
  posting posting_right not null default 'anyone',
  login_url text,
  edit_window_seconds int not null default 300 check (edit_window_seconds between 0 and 31536000),
  max_depth int not null default 100 check (max_depth between 0 and 400),
  version bigint not null default 1,
  created_at timestamptz(3) not null default now()
);

create table authors (
  site_id int not null references sites,
  id bigint generated always as identity,
  kind author_kind not null default 'guest',
  role author_role not null default 'reader',
  name text not null,
  url text,
  avatar_url text,
  email text,                                -- shown to moderators only; identifies nobody
  created_at timestamptz(3) not null default now(),
  primary key (site_id, id)
);

create table threads (
  site_id int not null references sites,
  id bigint generated always as identity,
  article_id text not null check (char_length(article_id) between 1 and 512),
  title text,
  url text,
  state thread_state not null default 'open',
  closes_at timestamptz(3),
  moderation moderation_mode,                -- null: as the site says
  version bigint not null default 0,         -- 0: nothing of this thread was ever for readers
  comment_count int not null default 0 check (comment_count >= 0),
  root_count int not null default 0 check (root_count >= 0),
  last_comment_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  primary key (site_id, id)
) with (fillfactor = 70);
create unique index threads_article on threads (site_id, article_id);

-- Articles that a reader may find in a list.
create index threads_active on threads (site_id, last_comment_at desc, id desc)
  where comment_count > 0 and state <> 'hidden';
create index threads_most on threads (site_id, comment_count desc, id desc)
  where comment_count > 0 and state <> 'hidden';
create index threads_newest on threads (site_id, id desc)
  where comment_count > 0 and state <> 'hidden';

create table comments (
  site_id int not null,
  thread_id bigint not null,
  id bigint generated always as identity,
  parent_id bigint not null default 0,       -- 0 is a root: a null here would cost the indexes their order
  depth int not null default 0,
  author_id bigint not null,
  status comment_status not null,
  reply_count int not null default 0 check (reply_count >= 0),   -- direct replies that are shown
  upvotes int not null default 0 check (upvotes >= 0),
  downvotes int not null default 0 check (downvotes >= 0),
  pinned boolean not null default false,
  locked boolean not null default false,
  revision int not null default 1,
  created_at timestamptz(3) not null,
  published_at timestamptz(3),               -- first time that a reader could see it
  edited_at timestamptz(3),
  active_at timestamptz(3) not null,         -- its own time, or that of its newest shown reply

  -- A comment keeps its place in the tree while a reader may see it, or something below it.
  shown boolean not null generated always as (status = 'approved' or reply_count > 0) stored,
  score int not null generated always as (upvotes - downvotes) stored,

  -- Wilson lower bound at 80 % confidence (z = 1.2816): 1 of 1 does not beat 90 of 100.
  -- E. B. Wilson, JASA 22 (1927) 209-212.
  best float8 not null generated always as (
    case when upvotes = 0 then 0 else
      ((upvotes::float8 / (upvotes + downvotes)) + 1.6424 / (2 * (upvotes + downvotes))
        - 1.2816 * sqrt(((upvotes::float8 / (upvotes + downvotes))
            * (downvotes::float8 / (upvotes + downvotes))
          + 1.6424 / (4 * (upvotes + downvotes))) / (upvotes + downvotes)))
      / (1 + 1.6424 / (upvotes + downvotes))
    end) stored,

  -- Every tenfold of score is worth 12.5 hours; time stands in the key, so nothing is refreshed.
  hot float8 not null generated always as (
    sign((upvotes - downvotes)::float8) * log(greatest(abs(upvotes - downvotes), 1)::float8)
      + extract(epoch from created_at - timestamptz '2020-01-01 00:00:00Z')::float8 / 45000) stored,

  -- Many votes, evenly split.
  controversy float8 not null generated always as (
    case when least(upvotes, downvotes) = 0 then 0 else
      power((upvotes + downvotes)::float8,
        least(upvotes, downvotes)::float8 / greatest(upvotes, downvotes))
    end) stored,

  body text not null,                        -- exactly what was sent
  body_html text not null,                   -- rendered when written
  renderer int not null,                     -- the version of the renderer that made body_html
  article_title text,                        -- what a held comment says of its article; used when it
  article_url text,                          -- is published, if the thread still lacks them
  screening jsonb,                           -- the verdict's trace; for moderators
  network text,                              -- truncated; for moderators
  address_hash bytea,

  primary key (site_id, thread_id, id),
  constraint comments_thread foreign key (site_id, thread_id) references threads (site_id, id),
  constraint comments_author foreign key (site_id, author_id) references authors (site_id, id),
  check ((parent_id = 0) = (depth = 0)),
  check (parent_id < id)
) with (fillfactor = 90);

-- Serve each sort's page of one parent's replies in order, without touching what is not shown.
create index comments_children on comments (site_id, thread_id, parent_id, created_at, id) where shown;
create index comments_top on comments (site_id, thread_id, parent_id, score, id) where shown;
create index comments_best on comments (site_id, thread_id, parent_id, best, id) where shown;
create index comments_hot on comments (site_id, thread_id, parent_id, hot, id) where shown;
create index comments_controversial on comments (site_id, thread_id, parent_id, controversy, id) where shown;
create index comments_active on comments (site_id, thread_id, parent_id, active_at, id) where shown;

-- A thread without its tree; also the time of its newest comment.
create index comments_flat on comments (site_id, thread_id, created_at, id) where status = 'approved';
-- Recent comments of a site, roots or replies alone, of one article, and of one author.
create index comments_recent on comments (site_id, published_at, id) where status = 'approved';
create index comments_recent_roots on comments (site_id, published_at, id)
  where status = 'approved' and parent_id = 0;
create index comments_recent_replies on comments (site_id, published_at, id)
  where status = 'approved' and parent_id <> 0;
create index comments_recent_of_thread on comments (site_id, thread_id, published_at, id)
  where status = 'approved';
create index comments_by_author on comments (site_id, author_id, published_at, id) where status = 'approved';
-- The moderation queue.
create index comments_queue on comments (site_id, status, id);

-- What a comment said before each edit.
create table comment_revisions (
  site_id int not null,
  comment_id bigint not null,
  revision int not null,
  body text not null,
  body_html text not null,
  replaced_at timestamptz(3) not null,
  replaced_by text not null,                 -- public id of the author or key
  primary key (site_id, comment_id, revision)
);
