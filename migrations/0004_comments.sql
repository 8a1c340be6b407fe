-- Comments, their tallies, addresses and earlier texts, votes and flags, and the recent texts that repeats are counted from.

create type comment_status as enum ('pending', 'approved', 'spam', 'rejected', 'deleted');

create table comments (
  site_id int not null,
  thread_id bigint not null,
  id bigint generated always as identity,
  parent_id bigint not null default 0,                   -- 0: a root. A null would cost the indexes their order.
  depth int not null default 0,
  -- A comment that moves to another thread keeps its public id, which names the thread where it was
  -- written. Null: that is the thread in which it is now.
  home_thread_id bigint,
  parent_home_thread_id bigint,                          -- the parent's home_thread_id
  author_id bigint not null,
  status comment_status not null,
  shadowed boolean not null default false,               -- only its author sees it
  pinned boolean not null default false,
  locked boolean not null default false,
  revision int not null default 1,
  created_at timestamptz(3) not null,
  published_at timestamptz(3),                           -- the first time that readers could see it
  edited_at timestamptz(3),
  flag_count int not null default 0,                     -- flags that no moderator has decided on

  body text not null,                                    -- exactly as sent
  body_html text not null,                               -- rendered on writing
  renderer int not null,                                 -- version of the renderer that made body_html
  -- Title and URL that a held comment's author sent. Publishing the comment gives them to a thread
  -- without any.
  article_title text,
  article_url text,

  screening jsonb,                                       -- the trace, for moderators
  policy_version int,                                    -- null: no policy judged it
  facts jsonb,                                           -- the facts that the policy judged from
  risk smallint not null default 0,                      -- 0 to 100, from the trace

  primary key (site_id, thread_id, id),
  constraint comments_thread foreign key (site_id, thread_id) references threads (site_id, id),
  constraint comments_author foreign key (site_id, author_id) references authors (site_id, id),
  check ((parent_id = 0) = (depth = 0)),
  check (parent_id < id),
  constraint comments_flag_count check (flag_count >= 0)
) with (fillfactor = 90);

-- A thread without its tree, the time of its newest comment, and its comments of any other status.
create index comments_flat on comments (site_id, thread_id, status, created_at, id);
-- Recent comments of a site: roots, replies, and both merged. Then of one article, and of one author.
create index comments_recent on comments (site_id, least(parent_id, 1), published_at, id)
  where status = 'approved';
create index comments_recent_of_thread on comments (site_id, thread_id, published_at, id)
  where status = 'approved';
create index comments_by_author on comments (site_id, author_id, published_at, id) where status = 'approved';

-- The moderation queue, in the order of each sort. Approved comments without flags are not in the last two.
create index comments_queue on comments (site_id, status, id);
create index comments_flagged on comments (site_id, status, flag_count, id)
  where status <> 'approved' or flag_count > 0;
create index comments_riskiest on comments (site_id, status, risk, id)
  where status <> 'approved' or flag_count > 0;

-- Comments that readers do not see: of an author, shadowed ones among them, and by time.
create index comments_unpublished_by_author on comments (site_id, author_id, thread_id, id)
  where status <> 'approved';
create index comments_held_by_time on comments (site_id, created_at, id)
  where status <> 'approved';
-- An author's recent spam and rejected comments, for the policy.
create index comments_turned_down_by_author on comments (site_id, author_id, created_at)
  where status in ('spam', 'rejected');
-- Moved comments, by their public id.
create unique index comments_moved on comments (site_id, id) where home_thread_id is not null;

-- The counts of a comment, in a row that is a tenth as wide: a vote or a reply rewrites this row and its index
-- entries, not the text. A tally also repeats the comment's place in the tree and whether readers
-- see it, so that a page of the tree reads tallies first and then the comments that are on it.
create table comment_tallies (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  parent_id bigint not null,
  created_at timestamptz(3) not null,
  is_visible boolean not null,                           -- the comment's status is approved
  reply_count int not null default 0 check (reply_count >= 0),   -- direct replies that are shown
  active_at timestamptz(3) not null,                     -- its own time, or that of its newest shown reply
  upvotes int not null default 0 check (upvotes >= 0),
  downvotes int not null default 0 check (downvotes >= 0),

  -- A comment stays in the tree while readers can see it or a reply below it.
  shown boolean not null generated always as (is_visible or reply_count > 0) stored,
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

  -- A tenfold score is worth 12.5 hours. The time is part of the key, so no job refreshes it.
  hot float8 not null generated always as (
    sign((upvotes - downvotes)::float8) * log(greatest(abs(upvotes - downvotes), 1)::float8)
      + extract(epoch from created_at - timestamptz '2020-01-01 00:00:00Z')::float8 / 45000) stored,

  -- Many votes, evenly split.
  controversy float8 not null generated always as (
    case when least(upvotes, downvotes) = 0 then 0 else
      power((upvotes + downvotes)::float8,
        least(upvotes, downvotes)::float8 / greatest(upvotes, downvotes))
    end) stored,

  primary key (site_id, thread_id, comment_id),
  constraint comment_tallies_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade
) with (fillfactor = 80);

-- One page of a parent's replies, in the order of each sort. Hidden comments are not in the indexes.
create index comment_tallies_children on comment_tallies
  (site_id, thread_id, parent_id, created_at, comment_id) where shown;
create index comment_tallies_top on comment_tallies
  (site_id, thread_id, parent_id, score, comment_id) where shown;
create index comment_tallies_best on comment_tallies
  (site_id, thread_id, parent_id, best, comment_id) where shown;
create index comment_tallies_hot on comment_tallies
  (site_id, thread_id, parent_id, hot, comment_id) where shown;
create index comment_tallies_controversial on comment_tallies
  (site_id, thread_id, parent_id, controversy, comment_id) where shown;
create index comment_tallies_active on comment_tallies
  (site_id, thread_id, parent_id, active_at, comment_id) where shown;

-- The address that a comment was sent from. Retention deletes the rows from the oldest on, and no comment
-- is rewritten for it.
create table comment_addresses (
  site_id int not null,
  written_at timestamptz(3) not null,                    -- created_at of the comment
  comment_id bigint not null,
  network text not null,                                 -- truncated address, for moderators
  address_hash bytea not null,
  primary key (site_id, written_at, comment_id)
);

-- The text of a comment before each edit.
create table comment_revisions (
  site_id int not null,
  comment_id bigint not null,
  revision int not null,
  body text not null,
  body_html text not null,
  replaced_at timestamptz(3) not null,
  replaced_by text not null,                             -- public id of the author or key
  primary key (site_id, comment_id, revision)
);

-- One vote per person and comment. A guest's network is kept for a while, as a keyed hash: one person
-- can be many guests, so votes are limited per network too.
create table votes (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  author_id bigint not null,
  value smallint not null check (value in (-1, 1)),
  address_hash bytea,
  voted_at timestamptz(3) not null,
  primary key (site_id, thread_id, comment_id, author_id),
  constraint votes_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade,
  constraint votes_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index votes_of_author on votes (site_id, author_id, thread_id);
create index votes_of_network on votes (site_id, thread_id, comment_id, address_hash)
  where address_hash is not null;
create index votes_addresses on votes (site_id, voted_at) where address_hash is not null;

create type flag_reason as enum ('spam', 'offensive', 'abusive', 'off_topic', 'illegal', 'other');

-- One flag per person and comment. Networks are kept as with votes.
create table flags (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  author_id bigint not null,
  reason flag_reason not null,
  note text,
  address_hash bytea,
  flagged_at timestamptz(3) not null,
  resolved_at timestamptz(3),                            -- when a moderator decided on the comment
  resolved_by bigint,                                    -- that decision; its undo reopens the flag
  primary key (site_id, thread_id, comment_id, author_id),
  constraint flags_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id) on update cascade,
  constraint flags_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index flags_of_author on flags (site_id, author_id, thread_id);
create index flags_of_network on flags (site_id, thread_id, comment_id, address_hash)
  where address_hash is not null;
create index flags_addresses on flags (site_id, flagged_at) where address_hash is not null;

-- Every post and edit of the last day, whatever its status: repeats and floods are counted from it.
-- Unlogged, which costs half as much; after a crash the counts start again.
create unlogged table arrivals (
  site_id int not null,
  comment_id bigint not null,
  thread_id bigint not null,
  author_id bigint not null,
  address_hash bytea,
  fingerprint bigint not null,                           -- hash of the normalised text
  sketch bigint[] not null,                              -- its least shingles: similar texts share some
  arrived_at timestamptz(3) not null,
  primary key (site_id, comment_id)
);
create index arrivals_of_site on arrivals (site_id, arrived_at);
create index arrivals_of_thread on arrivals (site_id, thread_id, arrived_at);
create index arrivals_of_author on arrivals (site_id, author_id, arrived_at);
create index arrivals_of_network on arrivals (address_hash, arrived_at) where address_hash is not null;
create index arrivals_alike on arrivals (site_id, fingerprint, arrived_at);
