-- Comments of a guest that an administrator gave to a member. The guest acts no more, and later imports of its
-- comments go to the member.

alter table authors add column reassigned_to bigint;     -- null: the author acts in its own name
create index authors_reassigned on authors (site_id, reassigned_to, id) where reassigned_to is not null;
