-- What a person has asked not to be written for a while. What is owed meanwhile stands in `due` in a lane that nobody claims from (ten more).

create table pauses (
    id bigint generated always as identity primary key,
    system text not null,                 -- what is not written to
    object text not null default '',      -- of which Salesforce object; empty: of all
    pair bigint not null default 0,       -- of which pair; 0: of all
    who text not null,
    why text not null,
    since_ms bigint not null,
    unique (system, object, pair)
);
