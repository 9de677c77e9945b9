-- Decisions in blocks, one for what a transaction decided, in a partition for each day: written without an index on them, found by the chain
-- that begins in the pair's row, and let go a day at a time. What is in `decisions` stays readable there until its time is over; the version
-- before writes there still.

create sequence decision_block_numbers;
create sequence decision_block_days;      -- the last day that has a block: days only grow, whatever the clock does

create table decision_blocks (
    id bigint primary key,                -- day (since the epoch, UTC) << 40, and a number out of decision_block_numbers
    at bigint not null,                   -- ms, ours
    count integer not null,
    body bytea not null                   -- consumers.ledger.postgres.blocks: MessagePack, packed by zlib
) partition by range (id);
alter table decision_blocks alter column body set storage external;

-- Decisions are numbered by their blocks, a thousand a block: on from those that are there.
select setval('decision_block_numbers', (select 1 + coalesce(max(id), 0) / 1000 from decisions));

-- Partitions are made by whoever writes first, a day ahead. A role that may write need not be one that may create tables.
create function decision_blocks_of(day bigint) returns void language plpgsql security definer set search_path from current as $$
declare
    each bigint;
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('tandem: days of decisions'));
    for each in select generate_series(day, day + 1) loop
        name := 'decision_blocks_' || to_char(date '1970-01-01' + each::integer, 'YYYYMMDD');
        if to_regclass(name) is null then
            execute format('create table %I (like decision_blocks including storage)', name);
            execute format('alter table decision_blocks attach partition %I for values from (%s) to (%s)', name, each << 40, (each + 1) << 40);
        end if;
    end loop;
    if day > (select last_value from decision_block_days) then
        perform setval('decision_block_days', day);
    end if;
end $$;

-- Waits for nobody for long, so that nobody waits for it.
create function decision_blocks_forgotten(day bigint) returns void language plpgsql security definer
    set search_path from current set lock_timeout = '200ms' as $$
begin
    execute format('drop table %I', 'decision_blocks_' || to_char(date '1970-01-01' + day::integer, 'YYYYMMDD'));
end $$;

alter table pairs add column decided bigint not null default 0;  -- the last block with a decision about it

-- A pair of more than 2 kB stays in its row, as it is: to pack it anew with every change took a sixth of what observe costs the database.
-- Rows that are there already change with their next update.
alter table pairs set (toast_tuple_target = 8160);
