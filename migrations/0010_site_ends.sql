-- Renaming and deleting a site.

alter type audit_action add value 'site_renamed';
alter type audit_action add value 'site_deleted';

alter table sites
  add column former_slug text,                                 -- names the site too, until a time
  add column former_slug_until timestamptz(3),
  add column deleted_at timestamptz(3);                        -- a job deletes the rows of the site
create index sites_former_slug on sites (former_slug) where former_slug is not null;

-- Rows of record can be deleted only with their whole site: the job names it in its transaction.
create or replace function refuse_change_of_record() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.site_id::text = current_setting('afterword.deleted_site', true) then
    return old;
  end if;
  raise exception '% is append-only', tg_table_name;
end $$;

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.site_id::text = current_setting('afterword.deleted_site', true) then
    return old;
  end if;
  raise exception 'decisions are append-only';
end $$;
