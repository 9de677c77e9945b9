-- The audit log: who changed the state of Tandem by hand, or looked at what is masked. Rows are only added, and let go after their time.

create table audit_log (
    id bigint generated always as identity primary key,
    at bigint not null,                   -- ms since the epoch, ours
    who text not null,
    act text not null,                    -- `reveal`, `link`, `repair` ...
    what text not null,                   -- JSON
    why text not null default ''
);
create index audit_log_at on audit_log (at);
