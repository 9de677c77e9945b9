-- The ledger of coverage: what has been read without a break, by what, and the holes between. Times are ms since the epoch; of what was
-- read, by the system's clock; when something was noted, by ours.

alter table source_positions
    add column since_ms bigint,          -- the stretch that is read without a break begins here; null: with what is read next
    add column since_position text;
update source_positions set since_ms = taken_ms where position is not null;

create table coverage (                  -- stretches that have ended; those that go on stand in source_positions
    id bigint generated always as identity primary key,
    source text not null,
    from_ms bigint not null,
    until_ms bigint not null,
    from_position text,
    until_position text,
    ended_ms bigint not null             -- ours
);
create index coverage_ended on coverage (ended_ms);

-- A gap is a hole: opened, and then closed by those who have read it again, or accepted by a person.
alter table gaps
    add column cause text not null default '',       -- streams.wire.errors.Cause; empty: of an earlier version
    add column until_ms bigint,                      -- what was made from then on is covered again; null: up to when it was opened
    add column from_position text,                   -- what lies between the two was not read
    add column until_position text,
    add column missed integer not null default 0,    -- changes that are known to have been missed
    add column accepted_by text,
    add column accepted_why text,
    add constraint gaps_accepted check (
        (accepted_by is null) = (accepted_why is null) and accepted_by <> '' and accepted_why <> '' and (accepted_by is null or closed_ms is not null)
    );
alter table gap_reads
    add column read_ms bigint not null default 0,
    add column collapsed integer not null default 0,        -- records of which only the latest values were found: those between are not known
    add column collapsed_ids text[] not null default '{}';  -- some of them

create function gaps_stay() returns trigger language plpgsql as $$
begin
    if old.closed_ms is null then
        raise exception 'hole % is open: it can be closed by reading it again, or accepted (tandem coverage accept), not deleted', old.id;
    end if;
    return old;
end $$;
create trigger gaps_stay before delete on gaps for each row execute function gaps_stay();
