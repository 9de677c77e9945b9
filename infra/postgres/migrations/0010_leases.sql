-- Who is the only one of its kind in the fleet. Unlike a session lock, a lease ends when nobody beats for it: a stopped process keeps
-- its connections.

create table leases (
    name text primary key,                -- relay salesforce.cdc, outbox, ...
    holder text not null,                 -- host:process:random
    until timestamptz not null,           -- by this server's clock
    backend integer not null,             -- the holder's session: when that has ended, so has the lease
    backend_start timestamptz
) with (fillfactor = 50);

alter table source_positions
    add column caught_ms bigint,          -- when the source last said that nothing more was waiting, by this server's clock
    add column late_ms bigint;            -- a source whose position was not saved for so long does not flow
