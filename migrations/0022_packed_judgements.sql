-- Facts and traces in a packed form. A comment has both in the packed form, or both in the long form.

alter table comments
  add column packed_facts text,
  add column packed_trace text;

-- A release before this one empties the text of a comment and knows only the long form.
create function empty_packed_judgement() returns trigger language plpgsql as $$
begin
  new.packed_facts := null;
  new.packed_trace := null;
  return new;
end $$;
create trigger comments_emptied before update of body on comments
  for each row when (new.body = '') execute function empty_packed_judgement();
