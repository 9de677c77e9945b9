-- The rules that workers have run under, one row each time that they changed: decisions carry the number.

create table config_versions (
    number integer primary key,
    digest text not null,
    since_ms bigint not null,             -- ms, ours
    rules jsonb not null                  -- by object, then by field: how it is mapped and decided, in words
);
