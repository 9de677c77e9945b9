-- What workers find out and report beside the ledger. Times are ms since the epoch, ours.

create table findings (
    name text primary key,                -- echo: how own writes are told in Marketo, as the canary found
    value text not null,
    at bigint not null
);

create table cycles (
    id bigint generated always as identity primary key,
    source text not null,
    at bigint not null,
    read integer not null,                -- rows, or activities
    known integer not null,               -- of them: the ledger had seen them already
    missed integer not null,              -- relayed, since the stream had not brought them (yet)
    calls integer not null,
    seconds double precision not null
);
create index cycles_source on cycles (source, id);
