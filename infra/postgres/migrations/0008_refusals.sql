-- What the systems refuse, one row a field ('*': the record itself), so that it can be listed and counted without reading any pair;
-- and what each worker judged and wrote in the last minutes.

create table refusals (
    pair bigint not null,
    system text not null,
    field text not null,
    reason text not null,                 -- the system's own words, or ours: may quote a value
    since_ms bigint not null,             -- ms, ours
    primary key (pair, system, field)
);
create index refusals_newest on refusals (since_ms);

alter table workers add column recent text not null default '{}';  -- {"verdicts": {...}, "writes": {...}}, JSON
