-- What a person has confirmed: that the many deletes of one kind of record up to a moment (the system's clock, ms) are meant.

create table confirmed_deletes (
    object text primary key,
    until_ms bigint not null,
    at timestamptz not null default now()
);
