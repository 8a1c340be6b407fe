-- A redaction also empties the note of a decision on another comment, if the decision on the redacted comment
-- caused it, or if both are of one batch: these decisions have the same note.

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.site_id::text = current_setting('afterword.deleted_site', true) then
    return old;
  end if;
  if tg_op = 'UPDATE' and to_jsonb(new) = to_jsonb(old) || '{"note": null}' and exists (
    select from decisions d
    where d.site_id = old.site_id
      and d.comment_id = nullif(current_setting('afterword.redacted_comment', true), '')::bigint
      and (d.id in (old.id, old.caused_by) or d.batch_id = old.batch_id)) then
    return new;
  end if;
  raise exception 'decisions are append-only';
end $$;
