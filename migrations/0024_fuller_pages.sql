-- A tally is never updated in place, because votes and replies change indexed columns, so that free space on its pages
-- serves nothing. A comment without its long form needs less for an edit. New pages only.

alter table comment_tallies set (fillfactor = 100);
alter table comments set (fillfactor = 95);
