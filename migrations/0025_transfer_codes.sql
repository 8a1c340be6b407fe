-- A code with which a guest continues on another device. A guest has at most one, and the code itself is stored
-- nowhere.

create table transfer_codes (
  site_id int not null,
  author_id bigint not null,
  code_hash bytea not null,                              -- keyed
  expires_at timestamptz(3) not null,
  primary key (site_id, author_id),
  constraint transfer_codes_author foreign key (site_id, author_id) references authors (site_id, id)
);
create unique index transfer_codes_code on transfer_codes (site_id, code_hash);
create index transfer_codes_age on transfer_codes (expires_at);
