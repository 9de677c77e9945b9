-- Where the sources have got to, what they missed, and the calls that may be made. Times are ms since the epoch, by this server's clock
-- unless said otherwise.

create table source_positions (
    source text primary key,
    epoch bigint not null,                -- moves whenever a relay takes the source over; an older relay can't save any more
    position text,                        -- opaque; null: from the source's beginning
    feed_ms bigint,                       -- the latest change relayed, by the clock of the source's system
    saved_ms bigint,
    taken_ms bigint not null,
    taken_by text not null
);

create table gaps (
    id bigint generated always as identity primary key,
    source text not null,
    object text not null default '',      -- the kind of record concerned; empty: all of the source
    since_ms bigint,                      -- read again everything changed since then, by the system's clock; null: everything
    reason text not null,
    opened_ms bigint not null,
    closed_ms bigint
);
create index gaps_open on gaps (source) where closed_ms is null;

-- The shared leave to call a system: one row each, replaced as a whole where its version is still the one that was read.
create table budgets (
    system text primary key,
    version bigint not null default 0,
    state text not null                   -- streams.budget.reckoning.rule.BudgetState, JSON
) with (fillfactor = 50);

create table budget_spent (
    system text not null,
    day date not null,                    -- UTC
    lane smallint not null,               -- 0 live, 1 repair, 2 copy
    purpose text not null,
    calls bigint not null,
    primary key (system, day, lane, purpose)
);
