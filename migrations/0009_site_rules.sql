-- More settings of a site: whether it is open, who reads, how people vote, and what a comment needs.

create type site_state as enum ('open', 'closed');
create type reading_right as enum ('anyone', 'members');
create type voting_mode as enum ('all', 'up', 'off');

alter table sites
  add column state site_state not null default 'open',         -- closed: no posts, edits, votes and flags
  add column reading reading_right not null default 'anyone',
  add column voting voting_mode not null default 'all',
  add column email_required boolean not null default false,    -- of guests
  add column min_body_length int not null default 1,           -- in code points, for everyone but the staff
  add column max_body_length int not null default 10000,
  add column language text,                                    -- a BCP 47 tag
  add constraint sites_body_length
    check (1 <= min_body_length and min_body_length <= max_body_length and max_body_length <= 10000);
