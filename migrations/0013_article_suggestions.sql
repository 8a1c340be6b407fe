-- Title and URL that the author of a comment gave to its article. They show only until staff name the article,
-- and only while the comment is visible.

alter table threads add column suggested_by bigint;               -- the comment
alter table threads add column suggested_title text;
alter table threads add column suggested_url text;
