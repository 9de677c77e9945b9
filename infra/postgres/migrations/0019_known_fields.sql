-- What both systems' fields looked like when they were asked last, and which were kept in step then: one row a field of an object that is
-- kept in step, on each side. Rows of fields that are gone are deleted after some months, so the table is as large as the two schemas.

create table known_fields (
    system text not null,
    object text not null,                 -- the Salesforce object, as in the configuration
    name text not null,
    facts text not null,                  -- JSON
    before text not null default '',      -- JSON: before the last change
    since_ms bigint not null default 0,   -- ms, ours; 0: it was there at the first look
    gone_ms bigint not null default 0,
    changed_ms bigint not null default 0,
    kept boolean not null default false,
    kept_ms bigint not null default 0,
    primary key (system, object, name)
);
