-- Deletes that a poll has stopped before, for a person to confirm: how many of how many, and some of them.

create table braked_deletes (
    object text primary key,
    gone integer not null,
    of_all integer not null,              -- those that live, with the deleted ones
    until_ms bigint not null,             -- the newest of them, by the system's clock: a confirmation reaches so far
    examples text[] not null,             -- record ids
    since_ms bigint not null              -- ours: when the poll stopped first
);
