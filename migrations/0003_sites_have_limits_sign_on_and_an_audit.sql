-- What a site's owner decides, how its members sign on, and who changed what.

alter table sites
  -- Per person and minute: create, vote, flag, preview, sign_on. What is missing is as the service says.
  add column limits jsonb not null default '{}',
  add column sorts text[] not null default '{newest,oldest,top,best,hot,controversial,active}',
  add column retention_days int not null default 30,
  add column flag_threshold int not null default 0,      -- so many flags hold a comment; 0: never
  -- { issuer, hs256: [{ kid, secret }] } or { issuer, jwks_url }; null: the site has no members.
  add column sign_on jsonb;

alter table api_keys
  add column last_used_at timestamptz(3);                -- at most a minute too early

create function refuse_change_of_record() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;

create type audit_action as enum ('site_created', 'site_updated', 'key_created', 'key_rotated',
  'key_revoked', 'member_updated', 'author_exported', 'author_erased');

-- Append-only: each act of an administrator is one row. It holds neither secrets nor personal data.
create table audit (
  id bigint generated always as identity primary key,
  site_id int references sites,                          -- null: of the whole service
  action audit_action not null,
  subject text not null,                                 -- slug, or public id of a key or an author
  done_by text not null,                                 -- public id of a key or member
  done_at timestamptz(3) not null,
  before jsonb,                                          -- what has changed, as it was
  after jsonb                                            -- and as it is
);
create index audit_of_site on audit (site_id, id);
create trigger audit_append_only before update or delete on audit
  for each row execute function refuse_change_of_record();
create trigger audit_never_emptied before truncate on audit
  for each statement execute function refuse_change_of_record();
