-- A decision is about what its moderator saw: the revision of one comment, or a snapshot of many.

alter type batch_outcome add value 'changed_since';
alter table batch_items add column revision int;                  -- that the moderator saw; null: any

-- The transaction that last gave the comment a text or a status. Null: a release before this one did.
alter table comments add column changed_xid xid8;
alter table comments alter column changed_xid set default pg_current_xact_id();
