-- The drift audit: where the rolling comparison of both sides stands, and what it has found. Times are ms since the epoch, ours.

create table audits (
    object text not null,                 -- of Salesforce, as in the configuration
    part text not null,                   -- `both`: in the order of Salesforce's ids; `marketo`: those that are only in Marketo
    after text not null default '',       -- the round goes on behind this one
    rounds bigint not null default 0,     -- that have come to their end
    watched_ms bigint not null,           -- since when: what is older and not known was never copied
    began_ms bigint not null default 0,   -- of the round under way, like the next three
    records bigint not null default 0,
    salesforce_calls bigint not null default 0,
    marketo_calls bigint not null default 0,
    blocked bigint not null default 0,    -- of them: not on the other side by the rules, or never copied
    proven_ms bigint not null default 0,  -- when the last whole round ended, like the rest
    proven_records bigint not null default 0,
    proven_salesforce_calls bigint not null default 0,
    proven_marketo_calls bigint not null default 0,
    proven_blocked bigint not null default 0,
    primary key (object, part)
);

create table differences (
    id bigint generated always as identity primary key,
    pair bigint not null,                 -- 0: no pair has it, only a record of Salesforce
    object text not null,
    record text not null,                 -- the id in Salesforce, or (of one that is only there) in Marketo
    field text not null,                  -- by its key; empty: the record as a whole
    class text not null,                  -- in_flight until two readings that far apart have said the same
    suspected text not null,              -- the class as the last reading has it
    cause text not null,
    why text not null,
    salesforce text not null,             -- JSON, like the next two
    marketo text not null,
    agreed text not null,
    found_ms bigint not null,
    since_ms bigint not null,             -- since when readings have said exactly this
    read_ms bigint not null,
    readings integer not null default 1,
    next_ms bigint not null,              -- when it is read again; 0: with its round
    closed_ms bigint
);
create unique index differences_open on differences (pair, object, record, field) where closed_ms is null;
create index differences_next on differences (next_ms) where closed_ms is null and next_ms > 0;
create index differences_class on differences (class, object) where closed_ms is null;
create index differences_closed on differences (closed_ms) where closed_ms is not null;

-- The pairs of a sort in the order in which Salesforce is asked for them; those without a record there stand behind, in the order of their
-- own numbers.
create index pairs_audited on pairs (salesforce_object, salesforce_id collate "C", id);
