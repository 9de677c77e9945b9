"""Tables whose rows have had their day. A step is one statement, committed by itself: it passes over rows that somebody has locked."""

from datetime import date
from typing import Any

import asyncpg

from consumers.retention.shelf import DAY_MS, LetGo, Step
from streams.ground.database import away_is_retry

ROWS_MAX = 1_000
"""Of a step: some milliseconds' worth."""

DECISIONS = """
with oldest as materialized (
    select id, at from decisions
    where id > $2 and id <= (select coalesce(max(published), 0) from outbox where relation = 'decisions') order by id limit $3
), gone as (
    delete from decisions where id = any(array(
        select id from decisions where id = any(array(select id from oldest where at < $1)) for update skip locked
    )) returning id
)
select (select count(*) from gone) as gone, (select max(id) from oldest) as last
"""
"""Rows of an earlier version. By their ids, which grow with time: an index on their time would have had to be written with every one.
Only published ones."""
DAYS = """
select c.relname as name from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
where i.inhparent = 'decision_blocks'::regclass order by c.relname
"""
DAY = """
select coalesce(max(id), 0) <= (select coalesce(max(published), 0) from outbox where relation = 'decision_blocks') as published,
    coalesce(sum(count), 0) as decisions
from decision_blocks where id >= $1::bigint << 40 and id < ($1::bigint + 1) << 40
"""
FORGET_DAY = "select decision_blocks_forgotten($1)"
"""The day's partition is dropped: it takes as long whatever was decided that day."""
LINKS = """
with old as materialized (
    select block from decision_links where block < (select max(block) from decision_links where block < $1::bigint << 40)
    order by block limit $2
), gone as (delete from decision_links where block = any(array(select block from old)) returning 1)
select count(*) from gone
"""
"""The chain's links of days that were let go, up to the last one: what comes after hangs on that."""
DEAD_LETTERS = """
delete from dead_letters where id = any(array(
    select id from dead_letters
    where at < $1 and id <= (select coalesce(max(published), 0) from outbox where relation = 'dead_letters')
    order by at limit $2 for update skip locked
))
"""
"""Only published ones, and those of relays, which were sent before they were stored."""
CYCLES = """
delete from cycles where id = any(array(
    select id from cycles as c
    where at < $1 and exists (select from cycles as later where later.source = c.source and later.id > c.id)
    order by at limit $2 for update of c skip locked
))
"""
"""The newest of each poll is what `tandem status` shows of it: it stays."""
GAPS = """
delete from gaps where id = any(array(
    select id from gaps where closed_ms < $1 order by closed_ms limit $2 for update skip locked
))
"""
"""With who has read them (`gap_reads`). An open one has no `closed_ms`."""
DIFFERENCES = """
delete from differences where id = any(array(
    select id from differences where closed_ms < $1 order by closed_ms limit $2 for update skip locked
))
"""
"""One that stands has no `closed_ms`."""
AUDIT_LOG = """
delete from audit_log where id = any(array(
    select id from audit_log where at < $1 order by at limit $2 for update skip locked
))
"""
COVERAGE = """
delete from coverage where id = any(array(
    select id from coverage where ended_ms < $1 order by ended_ms limit $2 for update skip locked
))
"""
"""Stretches that ended with a hole; what is read now without a break stands with its source's position."""
CALLS = """
delete from budget_spent where ctid = any(array(
    select ctid from budget_spent
    where day < (to_timestamp($1::bigint / 1000.0) at time zone 'utc')::date order by day limit $2 for update skip locked
))
"""
"""By their place in the table: nobody changes the row of a day gone by."""
ERRANDS = """
delete from errand_batches where id = any(array(
    select b.id from errand_batches as b
    where b.asked_at < $1 and b.callback is null
        and not exists (select from errands as e where e.batch = b.id and e.state = 'open')
    order by b.asked_at limit $2 for update of b skip locked
))
"""
"""With what each was for. One that Marketo has not taken the outcome of has its callback still."""
WORKERS = """
delete from workers where worker = any(array(
    select worker from workers where beat_at < to_timestamp($1::bigint / 1000.0) limit $2 for update skip locked
))
"""
"""Of workers that ended without taking leave."""
LEASES = """
delete from leases where name = any(array(
    select name from leases where until < to_timestamp($1::bigint / 1000.0) limit $2 for update skip locked
))
"""
"""Under names that nobody uses any more."""


def decisions(pool: Any) -> LetGo:
    """Lets go decisions: rows of an earlier version, then whole days. The only place that knows how."""

    async def let_go(before: int, after: int) -> Step:
        with away_is_retry("forgetting old decisions"):
            row = await pool.fetchrow(DECISIONS, before, after, ROWS_MAX)
            if row["gone"]:
                return Step(gone=row["gone"], after=row["last"])
            gone = await _forget_day(pool, before)
            if gone is None and await _forget_links(pool):
                return Step(gone=0, after=after)
        return Step(gone=gone or 0, after=None if gone is None else after)

    return let_go


async def _forget_day(pool: Any, before: int) -> int | None:
    """The oldest day, if it was over before that moment and all of it is published: how many decisions it had. None: there is none."""
    name = await pool.fetchval(DAYS)
    if name is None:
        return None
    day = _number(name)
    if (day + 1) * DAY_MS > before:
        return None
    told = await pool.fetchrow(DAY, day)
    if not told["published"]:
        return None
    try:
        await pool.execute(FORGET_DAY, day)
    except asyncpg.LockNotAvailableError:
        return None  # somebody was reading for longer than others are to be kept waiting: it goes with the next round
    return int(told["decisions"])


def _number(partition: str) -> int:
    """The day of a partition: days since the epoch."""
    return (date.fromisoformat(partition.rpartition("_")[2]) - date(1970, 1, 1)).days


async def _forget_links(pool: Any) -> bool:
    """Some of the chain's links of days that are gone. Whether there may be more."""
    name = await pool.fetchval(DAYS)
    return name is not None and bool(await pool.fetchval(LINKS, _number(name), ROWS_MAX) == ROWS_MAX)


def rows(pool: Any, statement: str, what: str) -> LetGo:
    """Lets go what the statement says: at most $2 rows from before $1. `what`: they are, in words."""

    async def let_go(before: int, after: int) -> Step:
        with away_is_retry(f"forgetting {what}"):
            gone = int((await pool.execute(statement, before, ROWS_MAX)).split()[-1])
        return Step(gone=gone, after=after if gone == ROWS_MAX else None)

    return let_go
