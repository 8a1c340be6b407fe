-- Redacting a comment: its text and every note on it go for good, and nothing restores them.

alter type audit_action add value 'comment_redacted';
alter type decision_action add value 'redact';

alter table comments add column redacted_at timestamptz(3);      -- an administrator removed the text for good

-- A redaction empties the notes of the decisions on its comment, and changes nothing else of them: it names the
-- comment in its transaction.
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.site_id::text = current_setting('afterword.deleted_site', true) then
    return old;
  end if;
  if tg_op = 'UPDATE' and old.comment_id::text = current_setting('afterword.redacted_comment', true)
    and to_jsonb(new) = to_jsonb(old) || '{"note": null}' then
    return new;
  end if;
  raise exception 'decisions are append-only';
end $$;
