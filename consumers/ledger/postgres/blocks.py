"""Decisions in blocks: what a transaction decided, packed together, in a partition for each day.

For each pair a block names the pair's block before it, and the pair's row names the last one: its decisions are a chain that is walked
from there, newest first, without an index. A block's id is its day (days since the epoch, UTC, by the database's clock) and a number that
is never given twice; both only grow. A decision's number is its block's number and its place in the block.
"""

import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.ledger.postgres.border import border
from consumers.merge.pair.decision import Decision, Told, told

DECISIONS_MAX = 1_000
"""Of a block: so many numbers are its own."""
NO_BLOCK = 0
_DAY_BITS = 40
"""The day stands above these."""
_QUICKEST = 1

DRAW = """
with writing as (delete from decision_blocks where false)
select (greatest(floor(extract(epoch from clock_timestamp()) / 86400)::bigint, days.last_value) << 40) + nextval('decision_block_numbers')
from decision_block_days as days
"""
"""The lock that a writer holds is taken first, and the day read under it: whoever publishes waits for those who have drawn."""
PREPARE = "select decision_blocks_of($1)"
INSERT = "insert into decision_blocks (id, at, count, body) values ($1, $2, $3, $4)"
POINT = "update pairs set told_in = $2 where id = any($1::bigint[])"
POINTED = "select id, told_in from pairs where id = any($1::bigint[]) order by id for update"
HEAD = "select told_in from pairs where id = $1"
READ = "select body from decision_blocks where id = $1"
LAST_BLOCK = """
select case when numbers.is_called then (days.last_value << 40) + numbers.last_value else 0 end
from decision_block_numbers as numbers, decision_block_days as days
"""
"""Every block drawn so far has no greater id, but for those of a day that nobody has prepared yet: they come with the next look."""
BLOCKS_AFTER = """
select id, body from (
    select id, body, count, sum(count) over (order by id) as so_far
    from (select id, body, count from decision_blocks where id > $1 and id <= $2 order by id limit $3) as first
) as these where so_far - count = 0 or so_far <= $3 order by id
"""
"""As many as have $3 decisions between them, one at least."""


class _Body(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A block's content: a place in each list for each decision."""

    pairs: list[int]
    before: list[int]
    """The pair's block before this one; NO_BLOCK: there is none."""
    told: list[bytes]
    """The decisions as they are published."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision of a block."""

    pair: int
    before: int
    told: bytes


def packed(decisions: Sequence[Decision | Told], before: Mapping[int, int], block: int = NO_BLOCK) -> bytes:
    """The content of this block, of these decisions. `before`: the last block of each pair that has one; its own is none before."""
    entries = [told(decision) for decision in decisions]
    pairs = [entry.pair for entry in entries]
    lasts = [before.get(pair, NO_BLOCK) for pair in pairs]
    if block in lasts:
        lasts = [NO_BLOCK if last == block else last for last in lasts]
    return zlib.compress(_encoder.encode(_Body(pairs, lasts, [entry.said for entry in entries])), _QUICKEST)


def unpacked(body: bytes) -> list[Entry]:
    """Its decisions, in their order."""
    found = _decoder.decode(zlib.decompress(body))
    return [Entry(pair=pair, before=before, told=told) for pair, before, told in zip(found.pairs, found.before, found.told, strict=True)]


def parts(body: bytes) -> tuple[list[int], list[int], list[bytes]]:
    """The same as it is stored: the pairs, each one's block before, and what was decided; for who wants but a few of them."""
    found = _decoder.decode(zlib.decompress(body))
    return found.pairs, found.before, found.told


def day_of(block: int) -> int:
    """Days since the epoch."""
    return block >> _DAY_BITS


def number(block: int, place: int) -> int:
    """A decision's number."""
    return (block & (1 << _DAY_BITS) - 1) * DECISIONS_MAX + place


async def told_of(connection: Any, pair: int) -> AsyncGenerator[tuple[int, bytes]]:
    """What was decided about a pair, with its number, newest first; as far as it is kept."""
    block = await connection.fetchval(HEAD, pair) or NO_BLOCK
    while block:
        body = await connection.fetchval(READ, block)
        if body is None:
            return
        before = NO_BLOCK
        owners, befores, told = parts(body)
        for place in range(len(owners) - 1, -1, -1):
            if owners[place] == pair:
                before = befores[place]
                yield number(block, place), told[place]
        block = before if before < block else NO_BLOCK


class Days:
    """The days for which this process knows partitions to be there. They are made a day ahead: nobody waits at midnight."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._ready: set[int] = set()

    async def prepare(self, block: int) -> None:
        """There is a partition that this block fits into."""
        day = day_of(block)
        if day not in self._ready:
            await self._pool.execute(PREPARE, day)
            self._ready.add(day)


async def draw(connection: Any, days: Days) -> int:
    """A block's id, in the transaction that will write it."""
    with border("draw a block of decisions"):
        block: int = await connection.fetchval(DRAW)
        await days.prepare(block)
    return block
