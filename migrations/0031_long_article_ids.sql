-- Article ids have up to 2,048 characters. An entry of an index has at most 2,704 bytes, so the row of an id with
-- more than 512 characters has the id in a column of its own, and a hash of it in `article_id`; so has the row of an
-- id that begins like a hash. The index `threads_article` and the statements of the release before stay as they are.
-- The new column is null in every row, so that the constraint needs no scan of the table.

alter table threads add column long_article_id text;     -- null: article_id is the id itself
alter table threads add constraint threads_long_article_id check (
  long_article_id is null or char_length(long_article_id) <= 2048
    and (char_length(long_article_id) > 512 or starts_with(long_article_id, chr(127)))
    and article_id = chr(127) || encode(sha256(convert_to(long_article_id, 'UTF8')), 'hex')
) not valid;
