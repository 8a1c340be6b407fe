-- An administrator can take rights away that a member's tokens say.

alter table authors
  add column if not exists token_roles_ignored boolean not null default false,
  add column if not exists suspended_at timestamptz(3);        -- null: tokens of the member are believed
