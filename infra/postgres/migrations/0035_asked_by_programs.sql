-- What programs have asked the HTTP API to do under a key of their own: asked again under the same key, it is not done again.

create table asked_by_programs (
    who text not null,
    key text not null,
    asked bytea not null,                 -- SHA-256 of the act and what it was asked with
    at bigint not null,                   -- ms, ours
    answer bytea,                         -- what was answered, without personal data; null: it is being done
    primary key (who, key)
);
create index asked_by_programs_at on asked_by_programs (at);
