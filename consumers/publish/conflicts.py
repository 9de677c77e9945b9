"""Conflicts: each with its two values and what became of it, onto a topic of its own; again when one that waited is decided.

Behind the outbox: all is read from the blocks of decisions that are published, so nothing is asked of who decides. What was agreed before
is found by walking back the pair's decisions. Which conflicts wait is kept in a table, without values, and changes in the transaction that
saves the position. The order of effects: read, publish, acknowledge, save. A crash between any two
says the same again, under the same name.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.ledger.postgres.blocks import BLOCKS_AFTER, parts
from consumers.merge.pair.decision import Decision, Ruling, decode
from consumers.publish.carrier import Carrier, Message
from consumers.publish.conflict import (
    Conflict,
    Earlier,
    Spot,
    Standing,
    about,
    body_of,
    conflict_of,
    decided,
    is_fought,
    lets_go,
    name_of,
    ruling_on,
    waits,
)  # fmt: skip
from consumers.publish.states import SAVE
from streams.ground.database import away_is_retry
from streams.relay.publisher import Producer
from streams.wire.errors import Retry
from streams.wire.topics import CONFLICTS

_BLOCKS, _CONFLICTS = "decision_blocks", "conflicts"
_PUBLISHED = "select relation, published from outbox where relation = any($1::text[])"
_READ = "select id, body from decision_blocks where id = any($1::bigint[])"
_WAITING = "select pair, field, block, place from conflicts_waiting where pair = any($1::bigint[])"
_WAIT = """
insert into conflicts_waiting (pair, field, block, place) select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::integer[])
on conflict do nothing
"""
_LET_GO = "delete from conflicts_waiting where (pair, field) in (select * from unnest($1::bigint[], $2::text[]))"
_ENDED = """
select w.pair, w.field, w.block, w.place from conflicts_waiting as w
where not exists (select from pairs where pairs.id = w.pair) order by w.pair, w.field limit $1
"""
DECISIONS_MAX = 500
"""Of a step."""
LOOKS_MAX = 16
"""So many blocks are gone back for what was agreed before: further back it is not known."""
_BLOCKS_MAX = 50
"""Read at once: some megabytes."""
_ENDED_SECONDS = 60.0
_RULED = b'"rule":"'

Key = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A ruling that judges a conflict, or decides one. `began`: where the conflict was first said."""

    decision: Decision
    ruling: Ruling
    spot: Spot
    began: Spot
    ends: bool


class Conflicts(Carrier):
    """Tells conflicts, until stopped. One in a fleet works, the others stand by."""

    name = _CONFLICTS
    _monotonic: Callable[[], float] = time.monotonic
    _looked: float | None = None

    async def publish(self, producer: Producer) -> int:
        """One pass: every conflict that the outbox is past is told. How many messages it was."""
        with away_is_retry("reading how far conflicts are told"):
            stands = {row["relation"]: row["published"] for row in await self._pool.fetch(_PUBLISHED, [_BLOCKS, _CONFLICTS])}
        stood, until, count = stands.get(_CONFLICTS, 0), stands.get(_BLOCKS, 0), 0
        while stood < until:
            began = self._monotonic()
            with away_is_retry("reading conflicts"):
                rows = await self._pool.fetch(BLOCKS_AFTER, stood, until, DECISIONS_MAX)
            reached = rows[-1]["id"] if rows else until
            count += await self._step(producer, rows, stood, reached)
            stood = reached
            await self._sleep(self._monotonic() - began)
        return count + await self._ended(producer)

    async def _step(self, producer: Producer, rows: Sequence[Any], stood: int, reached: int) -> int:
        blocks = {row["id"]: parts(row["body"]) for row in rows}
        pairs = {pair for owners, _, _ in blocks.values() for pair in owners}
        with away_is_retry("reading which conflicts wait"):
            before = {(row["pair"], row["field"]): _spot(row) for row in await self._pool.fetch(_WAITING, sorted(pairs))}
        waiting, earlier = dict(before), Earlier()
        await self._read(earlier, {(spot.block, spot.pair) for spot in before.values()})
        found = list(_found(blocks, waiting, earlier))
        concerned = frozenset(each.spot.pair for each in found)
        for block, told in blocks.items():
            earlier.keep(block, told, concerned & frozenset(told[0]))
        conflicts = await self._told(found, earlier)
        messages = [
            Message(str(each.pair).encode(), body_of(each), about(each, name_of(one.spot, each.field)))
            for one, each in zip(found, conflicts, strict=True)
        ]
        await self._send(CONFLICTS, producer, messages)
        await self._save(stood, reached, before, waiting)
        return len(messages)

    async def _told(self, found: Sequence[_Found], earlier: Earlier) -> list[Conflict]:
        """Blocks are read until nothing more is wanted, all that is wanted at a time at once."""
        for _ in range(LOOKS_MAX):
            earlier.wanted.clear()
            conflicts = [_conflict(each, earlier) for each in found]
            if not earlier.wanted:
                return conflicts
            await self._read(earlier, earlier.wanted)
        return [_conflict(each, earlier) for each in found]

    async def _read(self, earlier: Earlier, wanted: Iterable[tuple[int, int]]) -> None:
        by_block: dict[int, set[int]] = {}
        for block, pair in wanted:
            by_block.setdefault(block, set()).add(pair)
        numbers = sorted(by_block)
        for start in range(0, len(numbers), _BLOCKS_MAX):
            some = numbers[start : start + _BLOCKS_MAX]
            with away_is_retry("reading what was decided before"):
                bodies = {row["id"]: row["body"] for row in await self._pool.fetch(_READ, some)}
            for block in some:
                if block in bodies:
                    earlier.keep(block, parts(bodies[block]), frozenset(by_block[block]))
                else:
                    for pair in by_block[block]:
                        earlier.missing(block, pair)

    async def _save(self, stood: int, reached: int, before: dict[Key, Spot], waiting: dict[Key, Spot]) -> None:
        over = [key for key, spot in before.items() if waiting.get(key) != spot]
        new = [(key, spot) for key, spot in waiting.items() if before.get(key) != spot]
        with away_is_retry("saving how far conflicts are told"):
            async with self._pool.acquire() as connection, connection.transaction():
                if await connection.fetchval(SAVE, _CONFLICTS, stood, reached, self._now_ms()) is None:
                    raise Retry("somebody else tells conflicts as well; they go on from there", after_seconds=1.0)
                if over:
                    await connection.execute(_LET_GO, *map(list, zip(*over, strict=True)))
                if new:
                    rows = [(pair, field, spot.block, spot.place) for (pair, field), spot in new]
                    await connection.execute(_WAIT, *map(list, zip(*rows, strict=True)))

    async def _ended(self, producer: Producer) -> int:
        """Conflicts that wait for nobody any more, since their records are gone; looked for once a minute."""
        now = self._monotonic()
        if self._looked is not None and now - self._looked < _ENDED_SECONDS:
            return 0
        with away_is_retry("reading whose conflicts are gone"):
            rows = await self._pool.fetch(_ENDED, DECISIONS_MAX)
        messages = [self._gone(_spot(row), row["field"]) for row in rows]
        await self._send(CONFLICTS, producer, messages)
        if rows:
            with away_is_retry("noting whose conflicts are gone"):
                await self._pool.execute(_LET_GO, [row["pair"] for row in rows], [row["field"] for row in rows])
        self._looked = now
        return len(rows)

    def _gone(self, spot: Spot, field: str) -> Message:
        name = name_of(spot, field)
        gone = Conflict(conflict=name, standing=Standing.GONE, at=self._now_ms(), pair=spot.pair, field=field)
        return Message(str(spot.pair).encode(), body_of(gone), about(gone, f"{name}-gone"))


def _found(blocks: dict[int, tuple[list[int], list[int], list[bytes]]], waiting: dict[Key, Spot], earlier: Earlier) -> Iterator[_Found]:
    """What is to be told of these blocks, in their order; `waiting` is kept up."""
    held = {key: ruling.verdict for key, spot in waiting.items() if (ruling := ruling_on(earlier.at(spot), key[1]))}
    open_pairs = {pair for pair, _ in waiting}
    for block, (owners, _, told) in blocks.items():
        for place, (pair, said) in enumerate(zip(owners, told, strict=True)):
            if _RULED not in said and pair not in open_pairs:
                continue
            spot, decision = Spot(pair=pair, block=block, place=place), decode(said)
            for ruling in decision.fields:
                key = (pair, ruling.field)
                if key in waiting and lets_go(decision, ruling, held.get(key)):
                    yield _Found(decision=decision, ruling=ruling, spot=spot, began=waiting.pop(key), ends=True)
                elif is_fought(ruling):
                    if waits(ruling):
                        waiting.setdefault(key, spot)
                        held[key] = ruling.verdict
                        open_pairs.add(pair)
                    yield _Found(decision=decision, ruling=ruling, spot=spot, began=waiting.get(key, spot), ends=False)


def _conflict(found: _Found, earlier: Earlier) -> Conflict:
    if found.ends:
        return decided(found.began, found.decision, found.ruling, found.spot, earlier)
    return conflict_of(found.decision, found.ruling, found.spot, earlier, name=name_of(found.began, found.ruling.field))


def _spot(row: Any) -> Spot:
    return Spot(pair=row["pair"], block=row["block"], place=row["place"])
