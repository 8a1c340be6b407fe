-- A site can ask for the canonical form of the addresses that name its articles.

create type article_ids as enum ('as_sent', 'canonical');

alter table sites add column article_ids article_ids not null default 'as_sent';
