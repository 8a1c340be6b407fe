-- One vote and one flag per person and comment. Of a guest the network is kept for a while, as a keyed
-- hash: guests make themselves, so that they are counted by network too.

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
    references comments (site_id, thread_id, id),
  constraint votes_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index votes_of_author on votes (site_id, author_id, thread_id);
create index votes_of_network on votes (site_id, thread_id, comment_id, address_hash)
  where address_hash is not null;
create index votes_addresses on votes (site_id, voted_at) where address_hash is not null;

create type flag_reason as enum ('spam', 'offensive', 'abusive', 'off_topic', 'illegal', 'other');

create table flags (
  site_id int not null,
  thread_id bigint not null,
  comment_id bigint not null,
  author_id bigint not null,
  reason flag_reason not null,
  note text,
  address_hash bytea,
  flagged_at timestamptz(3) not null,
  resolved_at timestamptz(3),                            -- a moderator has decided on the comment since
  primary key (site_id, thread_id, comment_id, author_id),
  constraint flags_comment foreign key (site_id, thread_id, comment_id)
    references comments (site_id, thread_id, id),
  constraint flags_author foreign key (site_id, author_id) references authors (site_id, id)
);
create index flags_of_author on flags (site_id, author_id, thread_id);
create index flags_of_network on flags (site_id, thread_id, comment_id, address_hash)
  where address_hash is not null;
create index flags_addresses on flags (site_id, flagged_at) where address_hash is not null;

-- Flags that no moderator has decided on. The check is for what is written from now on: looking at
-- every row would lock the table for as long.
alter table comments add column flag_count int not null default 0;
alter table comments add constraint comments_flag_count check (flag_count >= 0) not valid;
