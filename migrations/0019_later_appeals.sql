-- A decision that follows an overturned appeal can be appealed anew. One appeal of a comment waits at a time.

alter table appeals drop constraint appeals_once;
create unique index appeals_waiting_once on appeals (site_id, comment_id) where outcome is null;
create index appeals_of_comment on appeals (site_id, comment_id, id);
