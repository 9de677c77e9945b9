"""The ledger built again from the topics alone, in an empty database beside the live one.

Every decision is made anew by the present rules, in the order in which they were made, then all pairs are stored. What topics don't hold is
said, not guessed: writes under way, refusals, the places of the sources (0035).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from consumers.ledger.port import Ledger, Pair, Taken
from consumers.merge.pair.state import Field, PairState
from consumers.merge.pair.stored import unpack
from consumers.merge.terms import Terms
from consumers.replay.log import Log
from consumers.shadow.shadow import Shadow
from streams.wire.errors import Fatal

_TOGETHER = 500
_EMPTY = "select not exists (select from pairs) and not exists (select from partition_offsets) and not exists (select from decision_blocks)"
_NUMBERED = "select setval('write_ids', greatest($1::bigint, (select last_value from write_ids)))"
_PAGE = "select id, state from pairs where id > $1 order by id limit $2"
_SAME = """
select salesforce_id, marketo_id, marketo_object, state from pairs
where salesforce_id = any($1::text[]) or marketo_id = any($2::text[])
"""
_WRITES_TOGETHER = 1_000
"""Ids of writes are drawn in blocks: the next one begins above every one that was ever drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was built. `partly`: pairs of which the topics don't tell the beginning; `gone`: decisions whose events topics have let go of;
    `taken`: pairs that could not be stored, since another one has their record."""

    decisions: int
    events: int
    pairs: int
    partly: int
    unplaced: int
    gone: int
    taken: int
    seconds: float
    first_ms: int
    last_ms: int

    @property
    def holes(self) -> tuple[str, ...]:
        """What the new ledger lacks, in words."""
        told = [
            (self.partly, "pairs began before the log does: fields that it never tells of are blank, and their records are read again"),
            (self.gone, "decisions are about events that their topics have let go of: they were made from what the decisions say"),
            (self.unplaced, "decisions could not be followed, since nothing says what sort of record they are about"),
            (self.taken, "pairs could not be stored, since another one has their record"),
        ]
        counted = [f"{number:,} {words}" for number, words in told if number]
        always = "writes under way, refusals, and where the sources stood are on no topic: looks and polls find them out again"
        return (*counted, always)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The live ledger against the new one, by pairs."""

    equal: int
    different: int
    missing: int
    examples: tuple[str, ...]


async def look_empty(connection: Any) -> None:
    """Raises `Fatal` where there is a ledger already."""
    if not await connection.fetchval(_EMPTY):
        remedy = "Name another database: made new, with every migration, and nothing in it."
        raise Fatal("There is a ledger in that database already; nothing was done.", remedy=remedy)


async def rebuild(log: Log, ledger: Ledger, connection: Any, terms: Terms, *, said: Callable[[int], None], now_ms: int) -> Rebuilt:
    """Build it. `ledger` and `connection`: of the empty database; `said` is told how many decisions are done."""
    began, shadow, last_write = time.monotonic(), Shadow(terms), 0
    async for some in log.entries():
        for each in some:
            shadow.take(each)
            last_write = max(last_write, each.decision.write)
        said(log.decisions)
    numbers, taken = await _store(ledger, shadow, terms, now_ms)
    async with ledger.transaction() as tx:
        for (topic, partition), offset in sorted(log.read.items()):
            await tx.advance(topic, partition, offset + 1, offset + 1)
        former = {named: numbers[pair] for named, pair in shadow.former.items() if pair in numbers}
        if former:
            await tx.remember(former, {})
    await connection.execute(_NUMBERED, last_write + _WRITES_TOGETHER)
    return Rebuilt(
        decisions=log.decisions,
        events=log.events,
        pairs=len(numbers),
        partly=len(shadow.partly & shadow.pairs.keys()),
        unplaced=shadow.unplaced,
        gone=log.gone,
        taken=taken,
        seconds=time.monotonic() - began,
        first_ms=log.first_ms,
        last_ms=log.last_ms,
    )


async def _store(ledger: Ledger, shadow: Shadow, terms: Terms, now_ms: int) -> tuple[dict[int, int], int]:
    """By the log's number of a pair: its number here; and how many could not be stored."""
    numbers: dict[int, int] = {}
    taken = 0
    states = shadow.at_rest()
    while some := list(islice(states, _TOGETHER)):
        try:
            numbers |= await _save(ledger, some, terms, now_ms)
        except Taken:
            for each in some:
                try:
                    numbers |= await _save(ledger, [each], terms, now_ms)
                except Taken:
                    taken += 1
    return numbers, taken


async def _save(ledger: Ledger, some: Sequence[tuple[int, PairState]], terms: Terms, now_ms: int) -> dict[int, int]:
    made = []
    for number, built in some:
        state = terms.with_due(built, now_ms)
        made.append((number, Pair(id=0, state=state, loaded=None, match_key=terms.match_key(state))))
    async with ledger.transaction(durable=False) as tx:
        await tx.save([pair for _, pair in made], now_ms)
    return {number: pair.id for number, pair in made}


async def compare(live: Any, new: Any, *, examples: int = 5) -> Compared:
    """Page by page. `live`, `new`: connections."""
    after, equal, different, missing, shown = 0, 0, 0, 0, list[str]()
    while rows := await live.fetch(_PAGE, after, _TOGETHER):
        after = rows[-1]["id"]
        states = [unpack(row["state"]) for row in rows]
        found = await new.fetch(_SAME, [each.salesforce.id for each in states if each.salesforce.id], [
            each.marketo.id for each in states if each.marketo.id
        ])  # fmt: skip
        known: dict[tuple[str, ...], PairState] = {}
        for row in found:
            state = unpack(row["state"])
            known |= dict.fromkeys(_names(state), state)
        for state in states:
            other = next((known[name] for name in _names(state) if name in known), None)
            if other is None:
                missing += 1
                what = "is missing"
            elif differs := list(_differing(state, other)):
                different += 1
                what = f"differs in {', '.join(differs)}"
            else:
                equal += 1
                continue
            if len(shown) < examples:
                shown.append(f"{state.object} {state.salesforce.id or '-'} / {state.counterpart} {state.marketo.id or '-'} {what}")
    return Compared(equal=equal, different=different, missing=missing, examples=tuple(shown))


def _names(state: PairState) -> Iterator[tuple[str, ...]]:
    if state.salesforce.id:
        yield ("salesforce", state.salesforce.id)
    if state.marketo.id:
        yield ("marketo", state.counterpart, state.marketo.id)


def _differing(one: PairState, other: PairState) -> Iterator[str]:
    """Names of what isn't the same: the records, and by field the agreement and who shows it."""
    blank = Field()
    if (one.salesforce.id, one.marketo.id) != (other.salesforce.id, other.marketo.id):
        yield "its records"
    if (one.salesforce.deleted, one.marketo.deleted) != (other.salesforce.deleted, other.marketo.deleted):
        yield "whether they are deleted"
    for key in sorted({*one.fields, *other.fields}):
        mine, theirs = one.fields.get(key) or blank, other.fields.get(key) or blank
        if mine.value != theirs.value or _shows(mine) != _shows(theirs):
            yield key


def _shows(field: Field) -> tuple[bool, bool]:
    return field.salesforce.shows == field.version, field.marketo.shows == field.version
