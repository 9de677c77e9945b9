-- A cycle of a poll in full: which kind of record, which window, what became of what it passed on, and when the next one is due.
-- Times are ms since the epoch, ours unless said otherwise.

alter table cycles
    add column object text not null default '',          -- the kind of record; of an earlier version: empty
    add column from_ms bigint not null default 0,        -- what was read, by the system's clock; from 0: everything
    add column until_ms bigint not null default 0,
    add column relayed integer not null default 0,       -- of those read: the ledger had not seen them
    add column repaired integer not null default 0,      -- of those relayed: the ledger knows them now
    add column held integer not null default 0,          -- of those relayed: their pair waits for a person
    add column why text not null default '',             -- why the stream had not brought them, as far as it can be known
    add column next_ms bigint not null default 0,        -- when the next one is due, at the latest
    add column judged_ms bigint;                         -- when it was found out what became of them; null: not yet
-- `missed`: of those relayed, what the stream had not brought though it had had its time.
update cycles set relayed = missed, judged_ms = at;
create index cycles_missed on cycles (at) where missed > 0;
