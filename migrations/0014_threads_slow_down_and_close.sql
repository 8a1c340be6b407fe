-- Threads can close by themselves, and ask everybody to wait between two comments.

alter table sites
  add column close_after_days int not null default 0,    -- since the thread began; 0: never
  add column slow_mode_seconds int not null default 0;   -- between two comments of one person; 0: none
alter table threads
  add column stays_open boolean not null default false,  -- the site's days do not close it
  add column slow_mode_seconds int;                      -- null: as the site says
